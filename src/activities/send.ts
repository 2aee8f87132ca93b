import { heavyBytes } from '../delivery.ts';
import type {
  Attempt,
  DestinationType,
  Outcome,
  PartnerRequest,
  PartnerResponse,
  Verdict,
} from '../destinations/define.ts';
import type { Destination } from '../destinations/destination.ts';
import { chunk, halves, type Placed } from './chunk.ts';
import { classify } from './classify.ts';
import type { Turn } from '../turns.ts';
import type { Connections } from './connections.ts';
import type { Pace } from './pace.ts';
import type { EncodedRequest, Http, NoAnswer } from './http.ts';
import type { Part } from './ledger.ts';
import { messageOf } from './map-part.ts';
import { answered, unanswered, type Answered } from './past-attempt.ts';

/** Most requests of one delivery that are open on one connection. */
const lanes = 16;
/** So many failed requests in a row, with no success between, end a connection's attempt. */
const failuresInARow = 3;

export interface Sending {
  destination: Destination;
  http: Http;
  connections: Connections;
  pace: Pace;
  now: () => number;
  /** About how long the JSON of one of the batch's events is; 0: not known. */
  eventBytes: number;
  /** Waits until a large request may be built. */
  largeTurn: () => Promise<Turn>;
  /** Told of each request: its status, or why it got no answer, and how long it took. */
  onRequest: (status: string, seconds: number) => void;
  /** Aborted once no further request is to be begun: the attempt is cancelled or out of time. */
  over: AbortSignal;
  /** When it is out of time, in ms, as performance.now() tells it. */
  deadline: number;
  /** Called after each request. */
  afterRequest: () => void;
}

/** Of a request's items those whose fate is decided, and those that only others kept from being taken. */
const sortOut = (items: readonly Placed[], verdicts: readonly Verdict[]) => {
  const decided: Placed[] = [];
  const outcomes: Outcome[] = [];
  const blocked: Placed[] = [];
  for (const [at, item] of items.entries()) {
    const verdict = verdicts[at]!;
    if (verdict.kind === 'blocked' && items.length > 1) {
      blocked.push(item);
    } else {
      decided.push(item);
      // Alone, it was blocked by nothing but itself.
      outcomes.push(verdict.kind === 'blocked' ? { ...verdict, kind: 'rejected' } : verdict);
    }
  }
  return { decided, outcomes, blocked };
};

/** Whether an answer, or its absence, says that the next request would fare no better. */
const endsAttempt = (outcomes: readonly Outcome[], status: number | undefined): boolean =>
  status === 429 ||
  status === 503 ||
  outcomes.some(
    (outcome) =>
      outcome.kind === 'refused' ||
      (outcome.kind === 'retry' && outcome.retryAfterMs !== undefined),
  );

const longestPause = (outcomes: readonly Outcome[]): number =>
  Math.max(
    0,
    ...outcomes.map((outcome) => (outcome.kind === 'retry' ? (outcome.retryAfterMs ?? 0) : 0)),
  );

const build = (
  type: DestinationType,
  items: readonly Placed[],
  settings: Record<string, unknown>,
  attempt: Attempt,
): PartnerRequest =>
  type.request(
    items.map(({ item }) => item),
    settings,
    attempt,
  );

/**
 * Sends one connection's share of an attempt, a bounded number of requests at a time, and records
 * each event's outcome in the part. It ends early where the partner, the time or the process say
 * so; what is not sent stays unsettled. Never throws.
 * @param trying whether the connection fails, and one request is to show whether it works again
 */
export const sendPart = async (
  part: Part,
  items: readonly Placed[],
  sending: Sending,
  trying: boolean,
): Promise<void> => {
  const { destination, http, connections, pace, now, onRequest, afterRequest } = sending;
  const { over, deadline, eventBytes, largeTurn } = sending;
  const { type, timeoutMs } = destination;
  const { connection } = part;
  const gate = connections.gate(connection.name);
  let inARow = 0;
  let ended = false;
  /** The first request to a connection that fails: nobody else sends until it is answered. */
  let isTry = trying;
  const isEnded = (): boolean =>
    ended || over.aborted || (!isTry && connections.failure(connection.name) !== undefined);

  /** Counts a request that has shown no success; true once they are too many. */
  const countFailure = (): boolean => {
    inARow += 1;
    return inARow >= (isTry ? 1 : failuresInARow);
  };
  const settle = (items: readonly Placed[], outcomes: readonly Outcome[]): void => {
    for (const [at, { place }] of items.entries()) part.settle(place, outcomes[at]!, now());
    if (outcomes.some(({ kind }) => kind === 'delivered')) connections.took(connection.name);
  };
  const settleAll = (items: readonly Placed[], outcome: Outcome): void =>
    settle(
      items,
      items.map(() => outcome),
    );
  /** Rejections, or another try where the partner rejects whatever is sent: none is at fault then. */
  const unlessAll = (outcomes: Outcome[]): Outcome[] => {
    const [first] = outcomes;
    if (first?.kind !== 'rejected') return outcomes;
    if (!connections.rejectsAll(connection.name, first.reason, outcomes.length)) return outcomes;
    const reason = `rejects whatever is sent: ${first.reason}`;
    return outcomes.map(() => ({ kind: 'retry', reason }));
  };
  /** Sends no more in this attempt, and keeps others from it. */
  const end = ({ code, reason }: NonNullable<Answered['failure']>, pauseMs: number): void => {
    ended = true;
    connections.failed(connection.name, { words: part.mask(reason), code }, pauseMs);
  };

  const send = async (request: EncodedRequest): Promise<PartnerResponse | NoAnswer> => {
    const began = performance.now();
    const ended = connections.sent(connection.name, new URL(request.url).origin);
    const answer = await http.send(request, timeoutMs);
    ended('status' in answer);
    const status = 'status' in answer ? String(answer.status) : answer.failure;
    onRequest(status, (performance.now() - began) / 1_000);
    return answer;
  };

  const built = (items: readonly Placed[]): EncodedRequest => {
    const request = build(type, items, connection.settings, { time: now() });
    return { ...request, body: Buffer.from(request.body) };
  };
  /** A large request is built in its turn, before it takes the place of one that could be sent. */
  const builtAhead = async (items: readonly Placed[]): Promise<EncodedRequest | undefined> => {
    if (items.length * eventBytes < heavyBytes) return undefined;
    const turn = await largeTurn();
    try {
      return isEnded() ? undefined : built(items);
    } finally {
      turn.end();
    }
  };

  /** Sends one request after the other, each in its turn, until the attempt is over. */
  const sendInTurn = async (chunks: readonly (readonly Placed[])[]): Promise<void> => {
    for (const items of chunks.filter(({ length }) => length > 0)) {
      const ahead = await builtAhead(items);
      if (isEnded() || !(await gate.enter(over))) return;
      let again: readonly (readonly Placed[])[];
      try {
        if (isEnded() || !(await pace.turn(over, deadline)) || isEnded()) return;
        again = await sendChunk(items, ahead ?? built(items));
      } finally {
        gate.leave();
      }
      await sendInTurn(again);
    }
  };

  const halved = (items: readonly Placed[]): Placed[][] => {
    const both = halves(items);
    part.atMost(both[0].length);
    return both;
  };

  /** @returns what is to be sent again, otherwise put together */
  const sendChunk = async (
    items: readonly Placed[],
    request: EncodedRequest,
  ): Promise<readonly (readonly Placed[])[]> => {
    if (request.body.length > (type.batch?.maxBytes ?? Infinity)) {
      if (items.length > 1) return halved(items);
      settle(items, [{ kind: 'rejected', reason: `larger than ${type.name} takes` }]);
      return [];
    }
    const sentAt = performance.now();
    const ends = part.sending(items, now());
    const answer = await send(request);
    if (!('status' in answer)) {
      const { failure, reason } = answer;
      const outcome: Outcome = { kind: failure === 'forbidden' ? 'refused' : 'retry', reason };
      ends(unanswered(answer), now());
      settleAll(items, outcome);
      if (countFailure() || failure !== 'broken') end({ code: failure, reason }, 0);
      afterRequest();
      return [];
    }
    if (answer.status === 413 && items.length > 1) {
      ends({ status: 413 }, now());
      return halved(items);
    }
    const { verdicts, mayConcernAll } = classify(
      type,
      answer,
      items.map(({ item }) => item),
      now(),
    );
    const { decided, blocked, ...sorted } = sortOut(items, verdicts);
    const outcomes = mayConcernAll ? unlessAll(sorted.outcomes) : sorted.outcomes;
    const isAll = outcomes !== sorted.outcomes;
    const answeredAs = answered(answer, outcomes, isAll);
    ends(answeredAs, now());
    if (decided.length === 0) return halved(items);
    settle(decided, outcomes);
    const { failure } = answeredAs;
    if (failure === undefined) {
      inARow = 0;
      connections.recovered(connection.name, sentAt);
    } else if (countFailure() || isAll || endsAttempt(outcomes, answer.status)) {
      end(failure, longestPause(outcomes));
    }
    afterRequest();
    return [blocked];
  };

  // A fault in the type's own code: its events wait for the mended version.
  const fault = (items: readonly Placed[], error: unknown): void => {
    const reason = `${type.type} failed: ${messageOf(error)}`;
    part.sending(items, now())(
      { status: 'fault', received: 'maybe', failure: { code: 'fault', reason } },
      now(),
    );
    settleAll(items, { kind: 'retry', reason });
    end({ code: 'fault', reason }, 0);
  };

  // Larger ones would be built only to be halved: partners' forms are a little longer than ours.
  const fitting = Math.max(1, Math.floor((type.batch?.maxBytes ?? Infinity) / (1.2 * eventBytes)));
  let chunks: Placed[][] = [];
  try {
    chunks = chunk(type, items, Math.min(part.most() ?? Infinity, fitting));
  } catch (error) {
    fault(items, error);
  }
  let next = 0;
  const sendNext = async (): Promise<void> => {
    const items = chunks[next++] ?? [];
    try {
      await sendInTurn([items]);
    } catch (error) {
      fault(items, error);
    }
  };
  const lane = async (): Promise<void> => {
    while (next < chunks.length && !isEnded()) await sendNext();
  };
  if (isTry) {
    if (chunks.length > 0) await sendNext();
    isTry = false;
  }
  await Promise.all(Array.from({ length: Math.min(lanes, chunks.length) }, lane));
};
