import { setTimeout as sleep } from 'node:timers/promises';

/** Repeats expectations until they hold; fails as the last of them did once the time is over. */
export const eventually = async (
  expectations: () => Promise<void> | void,
  withinMs = 15_000,
): Promise<void> => {
  const end = Date.now() + withinMs;
  for (;;) {
    try {
      await expectations();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
};
