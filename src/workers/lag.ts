/** How far behind the cluster is, as this process's own tasks show it. */
export interface Lag {
  /**
   * Notes how long a first pass of a destination waited to be run, in ms.
   * @param isOwn whether the destination may be to blame for it, and not the cluster
   */
  observe: (destination: string, waitedMs: number, isOwn: boolean) => void;
  /**
   * What destinations wait lately: in the middle of those that are not to blame for it themselves;
   * where all may be, the shortest.
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
/** More than anybody goes by: a wait that was longer would only be remembered for longer. */
const longestMs = 2_000;

/** What tasks of one kind wait lately. */
interface Wait {
  observe: (waitedMs: number) => void;
  /** Undefined where none was seen lately. */
  ms: () => number | undefined;
}

const createWait = (now: () => number): Wait => {
  let [sum, weight, at] = [0, 0, -Infinity];
  return {
    observe: (waitedMs) => {
      const age = now() - at;
      const kept = age > freshMs ? 0 : Math.exp(-age / averagedMs);
      sum = sum * kept + Math.min(waitedMs, longestMs);
      weight = weight * kept + 1;
      at = now();
    },
    ms: () => (now() - at > freshMs ? undefined : sum / weight),
  };
};

/** @param now a clock that is never set back, in ms */
export const createLag = (now = (): number => performance.now()): Lag => {
  const heavy = createWait(now);
  const destinations = new Map<string, { wait: Wait; isOwn: boolean }>();
  return {
    observe: (destination, waitedMs, isOwn) => {
      const { wait } = destinations.get(destination) ?? { wait: createWait(now) };
      wait.observe(waitedMs);
      destinations.set(destination, { wait, isOwn });
    },
    ms: () => {
      const others: number[] = [];
      let shortest = Infinity;
      for (const { wait, isOwn } of destinations.values()) {
        const ms = wait.ms();
        if (ms === undefined) continue;
        shortest = Math.min(shortest, ms);
        if (!isOwn) others.push(ms);
      }
      others.sort((a, b) => a - b);
      const middle = others[Math.ceil(others.length / 2) - 1];
      return middle ?? (Number.isFinite(shortest) ? shortest : 0);
    },
    observeHeavy: heavy.observe,
    heavyMs: () => heavy.ms() ?? 0,
  };
};
