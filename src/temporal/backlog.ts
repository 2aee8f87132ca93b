import { describeQueue, type TaskQueues } from './task-queue.ts';

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
  queues,
  observe,
  ...at
}: TaskQueues & { observe: (queue: string, ageMs: number) => void }): (() => void) => {
  const watched = queues.slice(0, mostQueues);
  const look = async (queue: string): Promise<void> => {
    const { stats } = await describeQueue(at, queue, everyMs);
    const { seconds, nanos } = stats?.approximateBacklogAge ?? {};
    observe(queue, Number(seconds ?? 0) * 1_000 + (nanos ?? 0) / 1_000_000);
  };
  const timer = setInterval(() => {
    // An answer that does not come tells nothing: the last one is forgotten by itself.
    for (const queue of watched) look(queue).catch(() => undefined);
  }, everyMs);
  return () => clearInterval(timer);
};
