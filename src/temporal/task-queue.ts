import type { NativeConnection } from '@temporalio/worker';
import { batchQueue } from '../delivery.ts';

/** Temporal's numbers of the two kinds of tasks that a queue has. */
const taskQueueType = { workflow: 1, activity: 2 } as const;

/** What is asked of task queues, and of which Temporal. */
export interface TaskQueues {
  connection: Pick<NativeConnection, 'workflowService' | 'withDeadline'>;
  namespace: string;
  queues: readonly string[];
}

/**
 * What Temporal says of a task queue: who polls it, how far it is behind.
 * @throws where it does not answer within `limitMs`
 */
export const describeQueue = (
  { connection, namespace }: Omit<TaskQueues, 'queues'>,
  queue: string,
  limitMs: number,
) =>
  connection.withDeadline(Date.now() + limitMs, () =>
    connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: queue },
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is the SDK's own affair
      taskQueueType: queue === batchQueue ? taskQueueType.workflow : taskQueueType.activity,
      reportStats: true,
    }),
  );
