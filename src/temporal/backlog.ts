import type { NativeConnection } from '@temporalio/worker';

/** Temporal's number of the kind of tasks that activities are. */
const activityTasks = 2;
const everyMs = 1_000;
/** Some of the queues tell as much of the cluster as all of them, for less. */
const mostQueues = 8;

/**
 * Asks Temporal, once a second, for how long the oldest task of each destination's queue has
 * waited: for processes that take events and deliver none, and so do not see it themselves.
 * @param observe told of each queue's age, in ms
 * @returns ends it
 */
export const watchBacklog = ({
  connection,
  namespace,
  queues,
  observe,
}: {
  connection: Pick<NativeConnection, 'workflowService' | 'withDeadline'>;
  namespace: string;
  queues: readonly string[];
  observe: (queue: string, ageMs: number) => void;
}): (() => void) => {
  const watched = queues.slice(0, mostQueues);
  const look = async (queue: string): Promise<void> => {
    const { stats } = await connection.withDeadline(Date.now() + everyMs, () =>
      connection.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: queue },
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is the SDK's own affair
        taskQueueType: activityTasks,
        reportStats: true,
      }),
    );
    const { seconds, nanos } = stats?.approximateBacklogAge ?? {};
    observe(queue, Number(seconds ?? 0) * 1_000 + (nanos ?? 0) / 1_000_000);
  };
  const timer = setInterval(() => {
    // An answer that does not come tells nothing: the last one is forgotten by itself.
    for (const queue of watched) look(queue).catch(() => undefined);
  }, everyMs);
  return () => clearInterval(timer);
};
