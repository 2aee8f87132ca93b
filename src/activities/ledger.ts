import {
  lastAttempts,
  type Progress,
  type Receipt,
  type RetryPolicy,
  type Unsettled,
} from '../delivery.ts';
import type { Outcome } from '../destinations/define.ts';
import type { Connection, Destination } from '../destinations/destination.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';
import type { BreakerFailure } from './breaker.ts';
import { createMask } from './mask.ts';
import { createAttemptLog, type AttemptLog } from './past-attempt.ts';
import { fromRanges, toRanges } from './ranges.ts';
import { select } from './select.ts';
import { createTally, type Tally } from './tally.ts';

/** What went wrong last on a connection, in this attempt. */
interface Failure {
  reason: string;
  at: number;
  refused: boolean;
  /** The end of the longest pause that the partner asked for. */
  pauseUntil: number;
}

/** One connection's share of an attempt. */
export interface Part {
  connection: Connection;
  /** The unsettled places in the order to send them: what has failed before comes last. */
  places: readonly number[];
  /** When it is due, in ms since the epoch; in the past: now. */
  notBefore: number;
  /** The most items of a request; undefined: as many as the partner takes. */
  most: () => number | undefined;
  /**
   * Notes that requests of more items are refused whole. It outlives the attempt: one that is over
   * before halving has found the culprit would else leave the next where it began.
   */
  atMost: (items: number) => void;
  /** Records one event's outcome; `at` is the time, in ms since the epoch. */
  settle: (place: number, outcome: Outcome, at: number) => void;
  /** Counts an event that has nothing to send. */
  filter: (place: number) => void;
  /** Makes words of the partner's safe to keep: free of the connection's secrets, and short. */
  mask: (words: string) => string;
  /** Remembers what is sent, and with what success. */
  sending: AttemptLog['sending'];
  /**
   * Notes that nothing was sent, for the connection fails as others have found: it counts as
   * failing from now on, though not as an attempt.
   * @param at in ms since the epoch
   */
  hold: (failure: BreakerFailure, at: number) => void;
}

/** An attempt's book: what is settled, and what is not and why. */
export interface Ledger {
  /** Connections with something to send; parked ones are not among them. */
  parts: readonly Part[];
  /**
   * Where things stand. Whether a retry policy is spent is decided only at an attempt's end: a
   * checkpoint in its middle may be all that the next attempt knows of what was never tried.
   */
  progress: (at: 'checkpoint' | 'end') => Progress;
}

/** Doubles (or so) with each attempt, up to the most; ±10 %, so that deliveries spread out. */
const backoffMs = (retry: RetryPolicy, attempts: number, random: () => number): number =>
  Math.min(retry.firstDelayMs * retry.factor ** (attempts - 1), retry.maxDelayMs) *
  (0.9 + 0.2 * random());

/**
 * A part that was not sent because others found its connection failing: it counts as failing from
 * then on, though not as an attempt.
 * @param at in ms since the epoch
 */
export const heldPart = (
  part: Unsettled,
  { words, code }: BreakerFailure,
  at: number,
  retry: RetryPolicy,
  isEnd: boolean,
): Unsettled => {
  const since = part.since ?? at;
  const held: Unsettled = { ...part };
  delete held.notBefore;
  return {
    ...held,
    ...(part.reason === undefined && { reason: words, code }),
    since,
    ...(isEnd &&
      part.since !== undefined &&
      at - since >= retry.giveUpAfterMs && { parked: 'spent' }),
  };
};

const openPart = (
  connection: Connection,
  places: readonly number[],
  before: Unsettled,
  batch: readonly BatchedEvent[],
  tally: Tally,
) => {
  const mask = createMask(connection.secrets);
  /** The events of a request share one reason, which may be long: it is made safe once. */
  let last = { words: '', safe: '' };
  const maskOnce = (words: string): string => {
    if (words !== last.words) last = { words, safe: mask(words) };
    return last.safe;
  };
  const failedBefore = new Set(fromRanges(before.failed ?? []));
  const open = new Set(places);
  const failed = new Set(places.filter((place) => failedBefore.has(place)));
  const log = createAttemptLog(connection.name);
  let failure: Failure | undefined;
  let held: { failure: BreakerFailure; at: number } | undefined;
  let { most } = before;

  const part: Part = {
    connection,
    places: [...places.filter((place) => !failed.has(place)), ...failed],
    notBefore: before.notBefore ?? 0,
    most: () => most,
    atMost: (items) => {
      most = Math.min(most ?? Infinity, items);
    },
    mask: maskOnce,
    sending: log.sending,
    settle: (place, outcome, at) => {
      if (!open.has(place)) return;
      if (outcome.kind === 'delivered') {
        open.delete(place);
        failed.delete(place);
        tally.deliver();
        return;
      }
      const reason = maskOnce(outcome.reason);
      if (outcome.kind === 'rejected') {
        open.delete(place);
        failed.delete(place);
        tally.reject(place, batch[place]!.event.messageId, reason);
        return;
      }
      failed.add(place);
      const pause = outcome.kind === 'retry' ? (outcome.retryAfterMs ?? 0) : 0;
      failure = {
        reason,
        at,
        refused: outcome.kind === 'refused' || failure?.refused === true,
        pauseUntil: Math.max(failure?.pauseUntil ?? 0, pause > 0 ? at + pause : 0),
      };
    },
    filter: (place) => {
      open.delete(place);
      tally.filter(place, 'mapper');
    },
    hold: (found, at) => {
      held = { failure: found, at };
    },
  };

  /** The attempts before, and this one, whether it is over or the next knows only that it was begun. */
  const attempts = (isEnd: boolean) => {
    const present = log.past(isEnd, maskOnce);
    return lastAttempts(before.past ?? [], present === undefined ? [] : [present]);
  };

  const unsettled = (
    retry: RetryPolicy,
    random: () => number,
    isEnd: boolean,
  ): Unsettled | undefined => {
    if (open.size === 0) return undefined;
    const past = attempts(isEnd);
    const remaining: Unsettled = {
      connection: connection.name,
      events: toRanges(places.filter((place) => open.has(place))),
      ...(past.length > 0 && { past }),
    };
    if (failed.size > 0) remaining.failed = toRanges(places.filter((place) => failed.has(place)));
    if (most !== undefined) remaining.most = most;
    const progressed = open.size < places.length;
    if (held !== undefined) {
      return heldPart({ ...before, ...remaining }, held.failure, held.at, retry, isEnd);
    }
    if (failure === undefined) {
      return progressed ? remaining : { ...before, ...remaining };
    }
    const inARow = progressed ? 1 : (before.attempts ?? 0) + 1;
    const since = progressed ? failure.at : (before.since ?? failure.at);
    const spent = isEnd && failure.at - since >= retry.giveUpAfterMs;
    const { reason, at, refused, pauseUntil } = failure;
    const code = log.code();
    return {
      ...remaining,
      reason,
      ...(code !== undefined && { code }),
      since,
      attempts: inARow,
      notBefore: Math.round(pauseUntil > 0 ? pauseUntil : at + backoffMs(retry, inARow, random)),
      ...(refused ? { parked: 'refused' } : spent && { parked: 'spent' }),
    };
  };
  return {
    part,
    unsettled,
    /** Of a part with nothing left. */
    settledAttempts: () => (open.size === 0 ? attempts(true) : []),
  };
};

/**
 * Opens the book of an attempt.
 * @param from a checkpoint, or a continuation's input, which has no receipt yet; undefined: the
 * whole batch, in a first pass
 */
export const openLedger = ({
  destination,
  batch,
  from,
  retry,
  random,
}: {
  destination: Destination;
  batch: readonly BatchedEvent[];
  from: { receipt?: Receipt | undefined; unsettled: Unsettled[] } | undefined;
  retry: RetryPolicy;
  random: () => number;
}): Ledger => {
  const tally = createTally(from?.receipt);
  const parked = from?.unsettled.filter((part) => part.parked !== undefined) ?? [];
  const due = from?.unsettled.filter((part) => part.parked === undefined) ?? [
    { connection: destination.name, events: [0, batch.length] },
  ];
  const open = due.flatMap((before) => {
    // The configuration of today decides, also where an earlier attempt ran under another.
    const byConnection = select(destination, batch, fromRanges(before.events), tally.filter);
    return [...byConnection].map(([connection, places]) =>
      openPart(connection, places, before, batch, tally),
    );
  });
  return {
    parts: open.map(({ part }) => part),
    progress: (at) => ({
      receipt: tally.receipt(open.flatMap(({ settledAttempts }) => settledAttempts())),
      unsettled: [
        ...parked,
        ...open.flatMap(({ unsettled }) => unsettled(retry, random, at === 'end') ?? []),
      ],
    }),
  };
};
