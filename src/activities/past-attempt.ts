import type { FailureCode, PastAttempt } from '../delivery.ts';
import type { Outcome, PartnerResponse } from '../destinations/define.ts';
import type { NoAnswer } from './http.ts';

/** What became of one request. */
export interface Answered {
  status: PastAttempt['status'];
  /** Absent where it is sent again in parts. */
  received?: PastAttempt['received'];
  /** Why events of it remain unsettled; absent where none do. Not masked. */
  failure?: { code: FailureCode; reason: string };
}

/** Most characters of a reason beside an attempt; the whole of the last one is beside the connection. */
const reasonLength = 120;

const isFailure = (outcome: Outcome) => outcome.kind === 'retry' || outcome.kind === 'refused';

/**
 * Whether a partner that answered so may have taken in what it did not acknowledge. Statuses of the
 * 4xx and 501 say no; other 5xx may come from a proxy, or after half of the work.
 */
const mayHaveTaken = (status: number): boolean => status < 400 || (status >= 500 && status !== 501);

/** What an answered request was, by its events' outcomes. */
export const answered = (
  { status }: PartnerResponse,
  outcomes: readonly Outcome[],
  rejectsAll: boolean,
): Answered => {
  const failed = outcomes.find(isFailure);
  if (outcomes.length === 0) return { status };
  if (failed === undefined) return { status, received: 'yes' };
  const code = (): FailureCode => {
    if (rejectsAll) return 'rejects_all';
    if (failed.kind === 'refused') return 'refused';
    return status === 429 ? 'rate_limited' : 'unavailable';
  };
  return {
    status,
    received: mayHaveTaken(status) ? 'maybe' : 'no',
    failure: { code: code(), reason: 'reason' in failed ? failed.reason : '' },
  };
};

/** What a request without an answer was. */
export const unanswered = ({ failure, reason }: NoAnswer): Answered => ({
  status: failure,
  received: failure === 'unreachable' || failure === 'forbidden' ? 'no' : 'maybe',
  failure: { code: failure, reason },
});

const sureness = ['yes', 'no', 'maybe', undefined] as const;
const unsurer = (one: Answered['received'], other: Answered['received']): boolean =>
  one !== undefined && (other === undefined || sureness.indexOf(one) > sureness.indexOf(other));

/** The requests of one connection's attempt, as they are remembered together. */
export interface AttemptLog {
  /**
   * Notes that events are sent, by their places: those that are sent again in parts count once.
   * @returns to be called with what became of it
   */
  sending: (
    items: readonly { place: number }[],
    at: number,
  ) => (answer: Answered, until: number) => void;
  /** The kind of the last failure, if any. */
  code: () => FailureCode | undefined;
  /**
   * @param isOver false: the next attempt, should it read this, knows nothing better than that the worker
   * ended in its middle
   * @param mask makes a reason safe to keep
   * @returns undefined where nothing was sent
   */
  past: (isOver: boolean, mask: (words: string) => string) => PastAttempt | undefined;
}

export const createAttemptLog = (connection: string): AttemptLog => {
  let at: number | undefined;
  let until = 0;
  const places = new Set<number>();
  let status: PastAttempt['status'] | undefined;
  let failure: Answered['failure'];
  let received: PastAttempt['received'] | undefined;
  return {
    sending: (items, sentAt) => {
      at ??= sentAt;
      for (const { place } of items) places.add(place);
      return (answer, answeredAt) => {
        until = Math.max(until, answeredAt);
        if (answer.failure !== undefined || failure === undefined) {
          ({ status } = answer);
          failure = answer.failure ?? failure;
        }
        if (unsurer(answer.received, received)) ({ received } = answer);
      };
    },
    code: () => failure?.code,
    past: (isOver, mask) => {
      if (at === undefined) return undefined;
      const ms = Math.max(0, until - at);
      const events = places.size;
      if (!isOver || status === undefined) {
        return { connection, at, ms, events, status: 'lost', received: 'maybe' };
      }
      return {
        connection,
        at,
        ms,
        events,
        status,
        ...(failure !== undefined && { reason: mask(failure.reason).slice(0, reasonLength) }),
        received: received ?? 'no',
      };
    },
  };
};
