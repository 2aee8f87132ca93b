import { CancellationScope, condition, setCurrentDetails, sleep } from '@temporalio/workflow';
import type { Choice, FailureCode, Unsettled } from '../delivery.ts';
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

/** Where a batch's parts are parked. */
export interface Parking {
  /** Parks a part until something is said of it. `keepMs` absent: for as long as it takes. */
  park: (destination: string, part: Unsettled, keepMs: number | undefined) => Promise<Word>;
  /** Signals: each may hold anything, and what is not understood concerns nobody. */
  redrive: (given: unknown) => void;
  abandon: (given: unknown) => void;
  parked: () => Parked[];
  /**
   * Resolves with true once what is parked has changed since this was last asked for, or with false
   * where it is over without.
   */
  changed: (isOver: () => boolean) => Promise<boolean>;
}

/** Most characters of an operator's words that are kept. */
const longestReason = 200;

const isText = (value: unknown): value is string => typeof value === 'string';
const texts = (given: unknown): string[] => (Array.isArray(given) ? given : [given]).filter(isText);

/**
 * What a signal chooses. Anybody can send one, with anything in it, and a handler that throws wedges
 * its workflow for good: what is neither absent nor a choice means nobody, not everybody.
 */
const choiceIn = (given: unknown): Choice => {
  if (given === undefined || given === null) return {};
  if (Array.isArray(given)) return given.length === 0 ? {} : { names: texts(given) };
  if (typeof given !== 'object') return { names: texts(given) };
  const { names, reasons, reason, ...unknown } = given as Record<string, unknown>;
  if (Object.keys(unknown).length > 0 || (reason !== undefined && !isText(reason))) {
    return { names: [] };
  }
  return {
    ...(names !== undefined && { names: texts(names) }),
    ...(reasons !== undefined && { reasons: texts(reasons) as FailureCode[] }),
  };
};

const concerns = ({ names, reasons }: Choice, { destination, part }: Parked): boolean =>
  (names === undefined || names.includes(destination) || names.includes(part.connection)) &&
  (reasons === undefined || (part.code !== undefined && reasons.includes(part.code)));

export const createParking = (): Parking => {
  const parked = new Map<Parked, (word: Word) => void>();
  let remark: string | undefined;
  let isChanged = false;

  const tell = (): void => {
    isChanged = true;
    setCurrentDetails(stuckDetails([...parked.keys()], remark));
  };
  const say = (choice: Choice, word: Word): void => {
    for (const [part, end] of parked) if (concerns(choice, part)) end(word);
  };

  return {
    park: async (destination, part, keepMs) => {
      const entry: Parked = { destination, part, parkedAt: Date.now() };
      let word: Word | undefined;
      parked.set(entry, (said) => (word ??= said));
      tell();
      const isSaid = (): boolean => word !== undefined;
      try {
        if (keepMs === undefined) await condition(isSaid);
        else await withTimer(isSaid, keepMs, parkedSummary(entry));
        return word ?? { kind: 'expired' };
      } finally {
        parked.delete(entry);
        tell();
      }
    },
    redrive: (given) => say(choiceIn(given), { kind: 'redriven' }),
    abandon: (given) => {
      const reason = (given as { reason?: unknown } | null | undefined)?.reason;
      if (isText(reason) && reason.trim() !== '') {
        say(choiceIn(given), { kind: 'abandoned', reason: reason.slice(0, longestReason) });
      } else {
        remark = 'An `abandon` without a reason was ignored: give `{"reason": "why"}`, and names.';
        tell();
      }
    },
    parked: () => [...parked.keys()],
    changed: async (isOver) => {
      await condition(() => isChanged || isOver());
      const was = isChanged;
      isChanged = false;
      return was;
    },
  };
};

/** Waits for a condition, or for a time; the timer tells, in the history, what for. */
const withTimer = async (isMet: () => boolean, ms: number, summary: string): Promise<void> => {
  const timer = new CancellationScope();
  try {
    await Promise.race([condition(isMet), timer.run(() => sleep(ms, { summary }))]);
  } finally {
    timer.cancel();
  }
};
