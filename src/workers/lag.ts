/** How far behind the cluster is, as this process's own tasks show it. */
export interface Lag {
  /** Notes how long a first pass of a destination waited to be run, in ms. */
  observe: (destination: string, waitedMs: number) => void;
  /**
   * The shortest of the destinations' latest waits, in ms: a destination that is behind alone has
   * itself to blame, while a cluster that is behind delays them all.
   */
  ms: () => number;
  /** Notes how long a large batch waited for its turn in this process, in ms. */
  observeHeavy: (waitedMs: number) => void;
  /** How long they wait for it now. */
  heavyMs: () => number;
}

/** Waits noted longer ago than this tell nothing of now. */
const freshMs = 2_000;

export const createLag = (): Lag => {
  let heavy = { waitedMs: 0, at: -Infinity };
  const latest = new Map<string, { waitedMs: number; at: number }>();
  return {
    observe: (destination, waitedMs) => {
      const before = latest.get(destination);
      const smoothed =
        before === undefined || performance.now() - before.at > freshMs
          ? waitedMs
          : before.waitedMs * 0.8 + waitedMs * 0.2;
      latest.set(destination, { waitedMs: smoothed, at: performance.now() });
    },
    ms: () => {
      let least = Infinity;
      for (const { waitedMs, at } of latest.values()) {
        if (performance.now() - at <= freshMs) least = Math.min(least, waitedMs);
      }
      return Number.isFinite(least) ? Math.max(0, least) : 0;
    },
    observeHeavy: (waitedMs) => {
      heavy = { waitedMs: heavy.waitedMs * 0.5 + waitedMs * 0.5, at: performance.now() };
    },
    heavyMs: () => (performance.now() - heavy.at > freshMs ? 0 : heavy.waitedMs),
  };
};
