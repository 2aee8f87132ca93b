import { describeQueue, type TaskQueues } from './task-queue.ts';

/** Who asks for our health does not wait for long. */
const answerLimitMs = 2_000;

/** What keeps events from being taken or delivered; empty: nothing. */
export type Ailments = string[];

/**
 * Asks Temporal which of these queues nobody works on.
 * @returns words for each that has no poller, or for Temporal itself where it does not answer
 */
export const createPollerCheck = (at: TaskQueues): (() => Promise<Ailments>) => {
  const ailment = async (queue: string): Promise<string | undefined> => {
    const { pollers } = await describeQueue(at, queue, answerLimitMs);
    return pollers.length > 0 ? undefined : `no worker polls ${queue}`;
  };
  return async () => {
    try {
      const all = await Promise.all(at.queues.map(ailment));
      return all.filter((words) => words !== undefined);
    } catch {
      return ['Temporal does not answer'];
    }
  };
};
