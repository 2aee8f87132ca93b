import { setImmediate as turn } from 'node:timers/promises';

/**
 * The longest that one piece of work may keep the event loop from all others, in ms. An event on its
 * way needs some ten turns of the loop, and waits for such a piece in each.
 */
export const longestPieceMs = 1;

/**
 * Lets long loops give way: to be awaited now and then, it lets others run when it is their turn.
 * Where nothing is due it is undefined, which is awaited at less cost.
 */
export type Breathe = () => Promise<void> | undefined;

export const createBreather = (): Breathe => {
  let since = performance.now();
  return () => {
    if (performance.now() - since < longestPieceMs) return undefined;
    return turn().then(() => {
      since = performance.now();
    });
  };
};
