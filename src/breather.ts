import { setImmediate as turn } from 'node:timers/promises';

/** The longest that one piece of work may keep the event loop from all others, in ms. */
const longestMs = 4;

/** Lets long loops give way: to be awaited now and then, it lets others run when it is their turn. */
export const createBreather = (): (() => Promise<void> | undefined) => {
  let since = performance.now();
  return () => {
    if (performance.now() - since < longestMs) return undefined;
    return turn().then(() => {
      since = performance.now();
    });
  };
};
