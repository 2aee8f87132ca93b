import type {
  Attempt,
  DestinationType,
  Outcome,
  PartnerRequest,
  PartnerResponse,
  Verdict,
} from '../destinations/define.ts';
import type { Destination } from '../destinations/destination.ts';
import { createBreather } from '../breather.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';
import { chunk, halves, type Placed } from './chunk.ts';
import { classify } from './classify.ts';
import type { Connections } from './connections.ts';
import type { Pace } from './gates.ts';
import type { Http, NoAnswer } from './http.ts';
import type { Part } from './ledger.ts';

/** Most requests of one delivery that are open on one connection. */
const lanes = 16;
/** So many failed requests in a row, with no success between, end a connection's attempt. */
const failuresInARow = 3;

export interface Sending {
  destination: Destination;
  batch: readonly BatchedEvent[];
  http: Http;
  connections: Connections;
  pace: Pace;
  now: () => number;
  /** About how long the JSON of one of the batch's events is; 0: not known. */
  eventBytes: number;
  /** Told of each request: its status, or why it got no answer, and how long it took. */
  onRequest: (status: string, seconds: number) => void;
  /** Aborted once no further request is to be begun: the attempt is cancelled or out of time. */
  over: AbortSignal;
  /** When it is out of time, in ms since the epoch. */
  deadline: number;
  /** Told when a connection begins to fail, with the status or why there is none, or works again. */
  onHealth: (connection: string, failure: string | undefined) => void;
  /** Called after each request. */
  afterRequest: () => void;
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/**
 * Maps a part's events to items; what cannot be mapped or is too old for the partner is rejected, what has
 * nothing to send filtered.
 */
export const mapPart = async (
  part: Part,
  { destination, batch, now }: Sending,
): Promise<Placed[]> => {
  const { type, name, maxAgeMs = Infinity } = destination.type;
  const mappers = destination.type.events as Record<
    string,
    (event: unknown, settings: unknown) => unknown
  >;
  const tooOld = `older than the ${maxAgeMs / 3_600_000} h that ${name} takes`;
  const placed: Placed[] = [];
  const breathe = createBreather();
  for (const place of part.places) {
    const { event } = batch[place]!;
    const reject = (reason: string): void =>
      part.settle(place, { kind: 'rejected', reason }, now());
    try {
      const item = mappers[event.type]!(event, part.connection.settings);
      if (item === null) part.filter(place);
      else if (now() - Date.parse(event.timestamp) > maxAgeMs) reject(tooOld);
      else placed.push({ place, item });
    } catch (error) {
      reject(`${type} cannot map this event: ${messageOf(error)}`);
    }
    await breathe();
  }
  return placed;
};

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
  trying = false,
): Promise<void> => {
  const { destination, http, connections, pace, now, onRequest, afterRequest } = sending;
  const { over, deadline, eventBytes, onHealth } = sending;
  const { type, timeoutMs } = destination;
  const { connection } = part;
  const gate = connections.gate(connection.name);
  let inARow = 0;
  let ended = false;
  /** The first request to a connection that fails: nobody else sends until it is answered. */
  let isTry = trying;
  const isEnded = (): boolean =>
    ended || over.aborted || (!isTry && connections.failure(connection.name) !== undefined);

  const record = (items: readonly Placed[], outcomes: readonly Outcome[], sentAt = 0): void => {
    for (const [at, { place }] of items.entries()) part.settle(place, outcomes[at]!, now());
    const failed = outcomes.some(({ kind }) => kind === 'retry' || kind === 'refused');
    if (failed) inARow += 1;
    else {
      inARow = 0;
      if (connections.recovered(connection.name, sentAt)) onHealth(connection.name, undefined);
    }
    if (outcomes.some(({ kind }) => kind === 'delivered')) connections.took(connection.name);
    afterRequest();
  };
  const recordAll = (items: readonly Placed[], outcome: Outcome): void =>
    record(
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
  const end = (status: string, outcomes: readonly Outcome[]): void => {
    ended = true;
    const reasons = outcomes.flatMap((outcome) => ('reason' in outcome ? [outcome.reason] : []));
    const pauses = outcomes.map((outcome) =>
      outcome.kind === 'retry' ? (outcome.retryAfterMs ?? 0) : 0,
    );
    const pause = Math.max(0, ...pauses);
    const pauseUntil = pause > 0 ? now() + pause : 0;
    const words = reasons[0] ?? status;
    if (connections.failed(connection.name, words, pauseUntil)) onHealth(connection.name, status);
  };

  const send = async (request: PartnerRequest): Promise<PartnerResponse | NoAnswer> => {
    const began = performance.now();
    const ended = connections.sent(connection.name);
    const answer = await http.send(request, timeoutMs);
    if (ended('status' in answer) && 'status' in answer) onHealth(connection.name, undefined);
    const status = 'status' in answer ? String(answer.status) : answer.failure;
    onRequest(status, (performance.now() - began) / 1_000);
    return answer;
  };

  /** Sends one request after the other, each in its turn, until the attempt is over. */
  const sendInTurn = async (chunks: readonly (readonly Placed[])[]): Promise<void> => {
    for (const items of chunks.filter(({ length }) => length > 0)) {
      if (isEnded() || !(await pace.turn(over, deadline)) || isEnded()) return;
      await sendChunk(items);
    }
  };

  const sendHalves = (items: readonly Placed[]): Promise<void> => {
    const [first, second] = halves(items);
    part.atMost(first.length);
    return sendInTurn([first, second]);
  };

  const sendChunk = async (items: readonly Placed[]): Promise<void> => {
    const request = build(type, items, connection.settings, { time: now() });
    const tooLarge = Buffer.byteLength(request.body) > (type.batch?.maxBytes ?? Infinity);
    if (tooLarge && items.length === 1) {
      const [{ place }] = items as [Placed];
      part.settle(place, { kind: 'rejected', reason: `larger than ${type.name} takes` }, now());
      return;
    }
    const sentAt = now();
    const answer = tooLarge ? undefined : await send(request);
    if (answer === undefined || ('status' in answer && answer.status === 413 && items.length > 1)) {
      await sendHalves(items);
    } else if ('status' in answer) {
      const { verdicts, mayConcernAll } = classify(
        type,
        answer,
        items.map(({ item }) => item),
        now(),
      );
      const { decided, blocked, ...sorted } = sortOut(items, verdicts);
      if (decided.length === 0) {
        await sendHalves(items);
        return;
      }
      const outcomes = mayConcernAll ? unlessAll(sorted.outcomes) : sorted.outcomes;
      record(decided, outcomes, sentAt);
      const isAll = outcomes !== sorted.outcomes;
      if (isAll || endsAttempt(outcomes, answer.status) || inARow >= (isTry ? 1 : failuresInARow)) {
        end(String(answer.status), outcomes);
      }
      await sendInTurn([blocked]);
    } else {
      const { failure, reason } = answer;
      const outcome: Outcome = { kind: failure === 'forbidden' ? 'refused' : 'retry', reason };
      recordAll(items, outcome);
      if (failure !== 'broken' || inARow >= (isTry ? 1 : failuresInARow)) end(failure, [outcome]);
    }
  };

  // A fault in the type's own code: its events wait for the mended version.
  const fault = (items: readonly Placed[], error: unknown): void => {
    const outcome: Outcome = {
      kind: 'retry',
      reason: `${type.type} failed: ${messageOf(error)}`,
    };
    recordAll(items, outcome);
    end('fault', [outcome]);
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
    if (!(await gate.enter(over))) return;
    const items = chunks[next++] ?? [];
    try {
      await sendInTurn([items]);
    } catch (error) {
      fault(items, error);
    } finally {
      gate.leave();
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
