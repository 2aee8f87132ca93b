/** How far behind the cluster is, as this process's own tasks show it. */
export interface Lag {
  /** Notes how long a first pass of a destination waited to be run, in ms. */
  observe: (destination: string, waitedMs: number) => void;
  /**
   * What the destinations' latest waits are in the middle: a destination that is behind alone has
   * itself to blame, while a cluster that is behind delays most of them.
   */
  ms: () => number;
  /** Notes how long a large batch waited for its turn in this process, in ms. */
  observeHeavy: (waitedMs: number) => void;
  /** How long they wait for it now. */
  heavyMs: () => number;
}

/** Waits noted longer ago than this tell nothing of now. */
const freshMs = 2_000;

/**
 * Waits are averaged over about so long, in ms. Whoever paces starts by them sees what they did once
 * it was done: by every single wait they would do too much and too little by turns.
 */
const averagedMs = 500;

/** @param now a clock that is never set back, in ms */
export const createLag = (now = (): number => performance.now()): Lag => {
  const heavy = createWait(now);
  const byDestination = new Map<string, Wait>();
  return {
    observe: (destination, waitedMs) => {
      const wait = byDestination.get(destination) ?? createWait(now);
      byDestination.set(destination, wait);
      wait.observe(waitedMs);
    },
    ms: () => {
      const waits = [...byDestination.values()]
        .map((wait) => wait.ms())
        .filter((ms) => ms !== undefined)
        .sort((a, b) => a - b);
      return waits[Math.ceil(waits.length / 2) - 1] ?? 0;
    },
    observeHeavy: heavy.observe,
    heavyMs: () => heavy.ms() ?? 0,
  };
};

/** What tasks of one kind have waited lately. */
interface Wait {
  observe: (waitedMs: number) => void;
  /** Undefined where none was seen lately. */
  ms: () => number | undefined;
}

const createWait = (now: () => number): Wait => {
  let latest = { waitedMs: 0, at: -Infinity };
  const ms = (): number | undefined => (now() - latest.at > freshMs ? undefined : latest.waitedMs);
  return {
    observe: (waitedMs) => {
      const kept = Math.exp((latest.at - now()) / averagedMs);
      latest = { waitedMs: (ms() ?? waitedMs) * kept + waitedMs * (1 - kept), at: now() };
    },
    ms,
  };
};
