/** A connection's requests that wait for their answers. */
export interface Silence {
  /** Notes a request; to be called once it has its answer, or none. */
  sent: () => (isAnswered: boolean) => void;
  /**
   * For how long, in ms, there was no answer, where that is far longer than others took: such a
   * request is a failure already, else they would hold all slots before the first is over.
   */
  tooLong: () => number | undefined;
}

/** Requests without answer for so long, and for so many times as long as others took, are not waited for. */
const silentMs = 2_000;
const silentTimes = 3;

export const createSilence = (now: () => number): Silence => {
  /** When those that are open were sent, in order. */
  const open = new Map<symbol, number>();
  /** How long others took, as a moving average. */
  let usualMs = 0;
  return {
    sent: () => {
      const key = Symbol('request');
      const at = now();
      open.set(key, at);
      return (isAnswered) => {
        open.delete(key);
        if (isAnswered) usualMs = usualMs * 0.8 + (now() - at) * 0.2;
      };
    },
    tooLong: () => {
      const [oldest] = open.values();
      if (oldest === undefined) return undefined;
      const limit = Math.max(silentMs, silentTimes * usualMs);
      return now() - oldest > limit ? limit : undefined;
    },
  };
};
