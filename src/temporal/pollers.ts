import type { WorkflowService } from '@temporalio/client';
import { batchQueue } from '../delivery.ts';

/** Temporal's numbers of the two kinds of tasks a queue has. */
const taskQueueType = { workflow: 1, activity: 2 } as const;

/** What keeps events from being taken or delivered; empty: nothing. */
export type Ailments = string[];

/**
 * Asks Temporal which of these queues nobody works on.
 * @returns words for each that has no poller, or for Temporal itself where it does not answer
 */
export const createPollerCheck = ({
  workflowService,
  namespace,
  queues,
}: {
  workflowService: Pick<WorkflowService, 'describeTaskQueue'>;
  namespace: string;
  queues: readonly string[];
}): (() => Promise<Ailments>) => {
  const ailment = async (queue: string): Promise<string | undefined> => {
    const { pollers } = await workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: queue },
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is the SDK's own affair
      taskQueueType: queue === batchQueue ? taskQueueType.workflow : taskQueueType.activity,
    });
    return pollers.length > 0 ? undefined : `no worker polls ${queue}`;
  };
  return async () => {
    try {
      const all = await Promise.all(queues.map(ailment));
      return all.filter((words) => words !== undefined);
    } catch {
      return ['Temporal does not answer'];
    }
  };
};
