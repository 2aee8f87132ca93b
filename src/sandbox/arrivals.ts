/** The partners that the sandbox plays, in the order of the page. */
export const partnerNames = ['google-analytics-4', 'mixpanel', 'optimizely', 'webhook'] as const;
export type PartnerName = (typeof partnerNames)[number];

type Verdict = 'accepted' | 'duplicate' | 'rejected';

/** One record or event as a partner found it. What it holds was written by strangers. */
export interface Arrival {
  id: number;
  /** ISO-8601 */
  at: string;
  partner: PartnerName;
  /** The path it was posted to. */
  path: string;
  /** `track`, `profile`, … */
  kind: string;
  name: string;
  /** What names the event and its person there. */
  ids: Record<string, string>;
  verdict: Verdict;
  /** Why it was rejected, or what of it is not taken. */
  reason?: string;
  content: unknown;
}

export type NewArrival = Omit<Arrival, 'id' | 'at' | 'partner' | 'path'>;

export type Counts = Record<PartnerName, Record<Verdict, number>>;

/** The last arrivals, newest first, and how many there were of all. */
export interface Arrivals {
  add: (partner: PartnerName, path: string, arrivals: readonly NewArrival[], bytes: number) => void;
  list: (partner?: string) => Arrival[];
  find: (id: number) => Arrival | undefined;
  counts: () => Counts;
  clear: () => void;
  /** Calls back at each change: with what is new, or without anything once all is cleared. */
  watch: (listener: (added?: readonly Arrival[]) => void) => () => void;
}

const noCounts = (): Counts =>
  Object.fromEntries(
    partnerNames.map((name) => [name, { accepted: 0, duplicate: 0, rejected: 0 }]),
  ) as Counts;

/**
 * Keeps the last arrivals in memory.
 * @param most how many
 * @param mostBytes how many bytes of requests they may come from
 */
export const createArrivals = ({
  most,
  mostBytes,
  now,
}: {
  most: number;
  mostBytes: number;
  now: () => number;
}): Arrivals => {
  let kept: { arrival: Arrival; bytes: number }[] = [];
  let bytes = 0;
  let nextId = 1;
  let counts = noCounts();
  const listeners = new Set<(added?: readonly Arrival[]) => void>();
  const tell = (added?: readonly Arrival[]): void => {
    for (const listener of listeners) listener(added);
  };

  return {
    add: (partner, path, arrivals, requestBytes) => {
      const at = new Date(now()).toISOString();
      const each = requestBytes / arrivals.length;
      for (const { verdict } of arrivals) counts[partner][verdict] += 1;
      // Of a large request only the end can be kept.
      const skipped = Math.max(0, arrivals.length - most);
      nextId += skipped;
      const added = arrivals
        .slice(skipped)
        .map((arrival) => ({ id: nextId++, at, partner, path, ...arrival }));
      for (const arrival of added) kept.push({ arrival, bytes: each });
      bytes += each * added.length;
      let gone = Math.max(0, kept.length - most);
      for (let place = 0; place < kept.length && (place < gone || bytes > mostBytes); place += 1) {
        bytes -= kept[place]!.bytes;
        gone = Math.max(gone, place + 1);
      }
      kept = kept.slice(gone);
      tell(added);
    },
    list: (partner) =>
      kept
        .map(({ arrival }) => arrival)
        .filter((arrival) => partner === undefined || arrival.partner === partner)
        .reverse(),
    find: (id) => kept.find(({ arrival }) => arrival.id === id)?.arrival,
    counts: () => counts,
    clear: () => {
      kept = [];
      bytes = 0;
      counts = noCounts();
      tell();
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};
