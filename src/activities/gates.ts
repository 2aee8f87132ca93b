import { setTimeout as sleep } from 'node:timers/promises';

/** Lets so many in at a time; the others wait in order. */
export interface Gate {
  /** Resolves with whether it let in, for then `leave` is owed; with false once `over` is aborted. */
  enter: (over: AbortSignal) => Promise<boolean>;
  leave: () => void;
}

export const createGate = (places: number): Gate => {
  let free = places;
  const waiting = new Set<() => void>();
  return {
    enter: (over) => {
      if (over.aborted) return Promise.resolve(false);
      if (free > 0) {
        free -= 1;
        return Promise.resolve(true);
      }
      return new Promise((resolve) => {
        const enter = (): void => {
          over.removeEventListener('abort', giveUp);
          resolve(true);
        };
        const giveUp = (): void => {
          waiting.delete(enter);
          resolve(false);
        };
        waiting.add(enter);
        over.addEventListener('abort', giveUp, { once: true });
      });
    },
    leave: () => {
      const [next] = waiting;
      if (next === undefined) {
        free += 1;
      } else {
        waiting.delete(next);
        next();
      }
    },
  };
};

/** Spreads turns evenly over time. */
export interface Pace {
  /** How long a turn asked for now would have to wait, in ms. */
  aheadMs: () => number;
  /**
   * Takes the next turn and waits for it; resolves with whether there is one: false where it would
   * come after `deadline` (ms since the epoch), when none is taken, or once `over` is aborted.
   */
  turn: (over: AbortSignal, deadline: number) => Promise<boolean>;
}

/** @param perSecond turns a second; undefined: no limit */
export const createPace = (perSecond: number | undefined, now: () => number): Pace => {
  if (perSecond === undefined) {
    return { aheadMs: () => 0, turn: (over) => Promise.resolve(!over.aborted) };
  }
  let next = 0;
  return {
    aheadMs: () => Math.max(0, next - now()),
    turn: async (over, deadline) => {
      const at = Math.max(next, now());
      if (over.aborted || at > deadline) return false;
      next = at + 1_000 / perSecond;
      const wait = at - now();
      if (wait > 0) await sleep(wait, undefined, { signal: over }).catch(() => undefined);
      return !over.aborted;
    },
  };
};
