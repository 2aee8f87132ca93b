import { CancellationScope, sleep } from '@temporalio/workflow';
import { isChosen, type Choice, type FailureCode, type Unsettled } from '../delivery.ts';
import { parkedSummary, stuckDetails } from './words.ts';

/** What ends a part's stay: an operator's word, or that it was kept for as long as it is. */
type Word = { kind: 'redriven' } | { kind: 'abandoned'; reason: string } | { kind: 'expired' };

/** A part of a delivery that waits, with its events, for an operator's word. */
export interface Parked {
  destination: string;
  part: Unsettled;
  /** In ms since the epoch. */
  parkedAt: number;
}

/** A part that stays no longer, and why. */
export interface Ended extends Parked {
  word: Word;
}

/** Where a batch's parts are parked. */
export interface Parking {
  /** Parks a part until something is said of it. `keepMs` absent: for as long as it takes. */
  park: (destination: string, part: Unsettled, keepMs: number | undefined) => void;
  /** Signals: each may hold anything, and what is not understood concerns nobody. */
  redrive: (given: unknown) => void;
  abandon: (given: unknown) => void;
  parked: () => Parked[];
  /** Whether something has parked, or was said, since `takeNews` was called. */
  hasNews: () => boolean;
  /** What has ended its stay since then, all that was said at once together. */
  takeNews: () => Ended[];
  /** What the Web UI is to show. */
  details: () => string;
}

/** Most characters of an operator's words that are kept. */
const longestReason = 200;

const isText = (value: unknown): value is string => typeof value === 'string';
const texts = (given: unknown): string[] => (Array.isArray(given) ? given : [given]).filter(isText);

/**
 * What a signal chooses. Anybody can send one, with anything in it, and a handler that throws wedges
 * its workflow for good: what is neither absent nor a choice means nobody, not everybody.
 * @param others further keys that it may have
 */
const choiceIn = (given: unknown, others: readonly string[]): Choice => {
  if (given === undefined || given === null) return {};
  if (Array.isArray(given) || typeof given !== 'object') return { names: texts(given) };
  const { names, reasons, ...rest } = given as Record<string, unknown>;
  if (!Object.keys(rest).every((key) => others.includes(key))) return { names: [] };
  return {
    ...(names !== undefined && { names: texts(names) }),
    ...(reasons !== undefined && { reasons: texts(reasons) as FailureCode[] }),
  };
};

/** An empty place for one batch's parts. */
export const createParking = (): Parking => {
  /** With the timers that end their stay. */
  const parked = new Map<Parked, CancellationScope>();
  let ended: Ended[] = [];
  let hasNews = false;
  let remark: string | undefined;

  const end = (entry: Parked, word: Word): void => {
    if (!parked.has(entry)) return;
    parked.get(entry)!.cancel();
    parked.delete(entry);
    ended.push({ ...entry, word });
    hasNews = true;
  };
  const say = (choice: Choice, word: Word): void => {
    for (const entry of [...parked.keys()]) {
      if (isChosen(choice, entry.destination, entry.part)) end(entry, word);
    }
  };

  return {
    park: (destination, part, keepMs) => {
      const entry: Parked = { destination, part, parkedAt: Date.now() };
      const timer = new CancellationScope();
      parked.set(entry, timer);
      hasNews = true;
      if (keepMs === undefined) return;
      timer
        .run(() => sleep(keepMs, { summary: parkedSummary(entry) }))
        .then(
          () => end(entry, { kind: 'expired' }),
          () => undefined, // something was said of it, or the batch is cancelled
        );
    },
    redrive: (given) => say(choiceIn(given, []), { kind: 'redriven' }),
    abandon: (given) => {
      const reason = (given as { reason?: unknown } | null | undefined)?.reason;
      if (isText(reason) && reason.trim() !== '') {
        const word: Word = { kind: 'abandoned', reason: reason.slice(0, longestReason) };
        say(choiceIn(given, ['reason']), word);
      } else {
        remark = 'An `abandon` without a reason was ignored: give `{"reason": "why"}`, and names.';
        hasNews = true;
      }
    },
    parked: () => [...parked.keys()],
    hasNews: () => hasNews,
    takeNews: () => {
      const taken = ended;
      ended = [];
      hasNews = false;
      return taken;
    },
    details: () => stuckDetails([...parked.keys()], remark),
  };
};
