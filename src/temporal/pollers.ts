import { describeQueue, type TaskQueues } from './task-queue.ts';

/** Who asks for our health does not wait for long. */
const answerLimitMs = 2_000;

/** What keeps events from being taken or delivered; empty: nothing. */
export type Ailments = string[];

/** Somebody who works on a queue. */
export interface Poller {
  identity: string;
  /** When he last asked for tasks, in ms since the epoch. */
  askedAt: number;
}

/** Asks Temporal who works on a queue, or has within the last minutes. */
export const createPollerList =
  (at: Omit<TaskQueues, 'queues'>) =>
  async (queue: string): Promise<Poller[]> => {
    const { pollers } = await describeQueue(at, queue, answerLimitMs);
    return pollers.map(({ identity, lastAccessTime }) => ({
      identity: identity ?? '',
      askedAt: Number(lastAccessTime?.seconds ?? 0) * 1_000,
    }));
  };

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
