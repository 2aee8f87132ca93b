import type { FailureCode } from '../delivery.ts';

/** Why something fails. */
export interface BreakerFailure {
  /** The partner's words, masked, or why there were none. */
  words: string;
  code: FailureCode;
}

/**
 * Closed while something works, and all may use it; open once it fails: then one at a time may, and
 * now and then, to see whether it works again.
 */
export interface Breaker {
  /** Why it is open; undefined while it is closed. */
  failure: () => BreakerFailure | undefined;
  /** Whether it is open, and the partner wants to be left alone. */
  isPaused: () => boolean;
  /** @param laterMs for how long more than others this one is to wait */
  mayEnter: (laterMs: number) => boolean;
  /** Takes the place of the one that tries, where it is open; to be left when done, once. */
  enter: () => () => void;
  /** @param pauseMs for how long nobody may try; 0: it did not say */
  fail: (failure: BreakerFailure, pauseMs: number) => void;
  /** @param sentAt when the request was sent that went well: one older than the last failure says nothing */
  succeed: (sentAt: number) => void;
}

/** How long it is left alone between two tries. */
const betweenTriesMs = 500; // less than any retry delay: whoever failed may be the next to try

/**
 * @param now a clock that is never set back, in ms
 * @param onChange told when it opens, with why, and when it closes
 */
export const createBreaker = (
  now: () => number,
  onChange: (failure: BreakerFailure | undefined) => void,
): Breaker => {
  let open:
    | {
        failure: BreakerFailure;
        failedAt: number;
        pauseUntil: number;
        notBefore: number;
        isTried: boolean;
      }
    | undefined;
  return {
    failure: () => open?.failure,
    isPaused: () => open !== undefined && open.pauseUntil > now(),
    mayEnter: (laterMs) =>
      open === undefined || (!open.isTried && now() >= open.notBefore + laterMs),
    enter: () => {
      const tried = open;
      if (tried !== undefined) tried.isTried = true;
      return () => {
        if (tried !== undefined) tried.isTried = false;
      };
    },
    fail: (failure, pauseMs) => {
      const wasOpen = open !== undefined;
      const failedAt = now();
      const pauseUntil = Math.max(failedAt + pauseMs, open?.pauseUntil ?? -Infinity);
      const notBefore = Math.max(failedAt + betweenTriesMs, pauseUntil);
      const state = { failure, failedAt, pauseUntil, notBefore };
      open = Object.assign(open ?? { isTried: false }, state);
      if (!wasOpen) onChange(failure);
    },
    succeed: (sentAt) => {
      if (open === undefined || sentAt <= open.failedAt) return;
      open = undefined;
      onChange(undefined);
    },
  };
};
