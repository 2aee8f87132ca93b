import type { NativeConnection } from '@temporalio/worker';
import { batchQueue } from '../delivery.ts';

/** Temporal's numbers of the two kinds of tasks a queue has. */
const taskQueueType = { workflow: 1, activity: 2 } as const;

/** Who asks for our health does not wait for long. */
const answerLimitMs = 2_000;

/** What keeps events from being taken or delivered; empty: nothing. */
export type Ailments = string[];

/**
 * Asks Temporal which of these queues nobody works on.
 * @returns words for each that has no poller, or for Temporal itself where it does not answer
 */
export const createPollerCheck = ({
  connection,
  namespace,
  queues,
}: {
  connection: Pick<NativeConnection, 'workflowService' | 'withDeadline'>;
  namespace: string;
  queues: readonly string[];
}): (() => Promise<Ailments>) => {
  const ailment = async (queue: string): Promise<string | undefined> => {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: queue },
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is the SDK's own affair
      taskQueueType: queue === batchQueue ? taskQueueType.workflow : taskQueueType.activity,
    });
    return pollers.length > 0 ? undefined : `no worker polls ${queue}`;
  };
  return async () => {
    try {
      const all = await connection.withDeadline(Date.now() + answerLimitMs, () =>
        Promise.all(queues.map(ailment)),
      );
      return all.filter((words) => words !== undefined);
    } catch {
      return ['Temporal does not answer'];
    }
  };
};
