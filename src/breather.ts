import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

/**
 * The longest that one piece of work may keep the event loop from all others, in ms. An event on its
 * way needs some ten turns of the loop, and waits for such a piece in each.
 */
const longestMs = 1;

/**
 * Lets long loops give way: to be awaited now and then, it lets others run when it is their turn.
 * Where nothing is due it is undefined, which is awaited at less cost.
 */
export type Breathe = () => Promise<void> | undefined;

/** @param restMs how long to give way for after so many ms of work, beyond one turn of the event loop */
export const createBreather = (restMs: (workedMs: number) => number = () => 0): Breathe => {
  let since = performance.now();
  return () => {
    const workedMs = performance.now() - since;
    if (workedMs < longestMs) return undefined;
    const ms = restMs(workedMs);
    return (ms >= 1 ? sleep(ms) : turn()).then(() => {
      since = performance.now();
    });
  };
};
