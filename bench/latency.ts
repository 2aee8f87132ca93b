/** Durations in whole ms, counted: percentiles to the ms, at the same cost for ten or ten million. */
export interface Latency {
  add: (ms: number) => void;
  /** Another's counts, as `counts` gave them. */
  merge: (counts: Counts) => void;
  counts: () => Counts;
}

/** Pairs of a duration in ms and how often it was seen, ascending. */
export type Counts = [ms: number, count: number][];

const longestMs = 600_000;

export const createLatency = (): Latency => {
  const seen = new Map<number, number>();
  const count = (ms: number, times: number): void => {
    seen.set(ms, (seen.get(ms) ?? 0) + times);
  };
  return {
    add: (ms) => count(Math.min(Math.max(0, Math.round(ms)), longestMs), 1),
    merge: (counts) => {
      for (const [ms, times] of counts) count(ms, times);
    },
    counts: () => [...seen].sort(([a], [b]) => a - b),
  };
};

/** The duration that so many of 100 do not exceed, in ms; 0 where there is none. */
export const percentile = (counts: Counts, percent: number): number => {
  const total = counts.reduce((sum, [, times]) => sum + times, 0);
  let rest = Math.ceil((total * percent) / 100);
  for (const [ms, times] of counts) {
    rest -= times;
    if (rest <= 0) return ms;
  }
  return 0;
};

/** Several measurements as one. */
export const merged = (all: readonly Counts[]): Counts => {
  const latency = createLatency();
  for (const counts of all) latency.merge(counts);
  return latency.counts();
};
