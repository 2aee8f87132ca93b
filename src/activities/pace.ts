import { setTimeout as sleep } from 'node:timers/promises';

/** Spreads turns evenly over time. */
export interface Pace {
  /** How long a turn asked for now would have to wait, in ms. */
  aheadMs: () => number;
  /**
   * Takes the next turn and waits for it; resolves with whether there is one: false where it would
   * come after `deadline` (in ms, as performance.now() tells it), when none is taken, or once `over` is aborted.
   */
  turn: (over: AbortSignal, deadline: number) => Promise<boolean>;
}

/** @param perSecond turns a second; undefined: no limit */
export const createPace = (perSecond: number | undefined): Pace => {
  if (perSecond === undefined) {
    return { aheadMs: () => 0, turn: (over) => Promise.resolve(!over.aborted) };
  }
  let next = -Infinity;
  return {
    aheadMs: () => Math.max(0, next - performance.now()),
    turn: async (over, deadline) => {
      const at = Math.max(next, performance.now());
      if (over.aborted || at > deadline) return false;
      next = at + 1_000 / perSecond;
      const wait = at - performance.now();
      if (wait > 0) await sleep(wait, undefined, { signal: over }).catch(() => undefined);
      return !over.aborted;
    },
  };
};
