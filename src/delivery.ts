/**
 * All that crosses Temporal: names, the plan, what a delivery is given and answers.
 * Workflows import this file, so it imports nothing that runs.
 */

/** The workflow type that carries one batch, and the task queue of its workflow tasks. */
export const batchWorkflow = 'deliverBatch';
export const batchQueue = 'batches';

/** The task queue of one destination's deliveries. */
export const destinationQueue = (destination: string): string => `destination-${destination}`;

/**
 * Signals to a batch. Redrive sends the unsettled events of its parked deliveries again, now; abandon
 * gives them up. Both take a `Choice`; abandon wants a reason beside it.
 */
export const redriveSignal = 'redrive';
export const abandonSignal = 'abandon';

/** Answers with a `BatchState`. */
export const deliveriesQuery = 'deliveries';

/**
 * Custom search attributes, with their types. A namespace on a SQL store takes at most three of
 * type KeywordList, and all three are used here.
 */
export const searchAttributes = {
  Sources: 'KeywordList',
  Destinations: 'KeywordList',
  StuckDestinations: 'KeywordList',
  RejectedEvents: 'Int',
} as const;

/** The bytes that Temporal stores of a search attribute's value at most. */
const searchAttributeBytes = 2048;

/** Batches of so many bytes of JSON are worked on one at a time, so that small ones go between them. */
export const heavyBytes = 256 * 1024;

/** How a delivery is tried again; times in milliseconds. */
export interface RetryPolicy {
  firstDelayMs: number;
  factor: number;
  maxDelayMs: number;
  /** Counted from a connection's first failed attempt in a row; past it the continuation parks. */
  giveUpAfterMs: number;
}

/** One destination's part of the plan; times in milliseconds. */
export interface PlannedDelivery {
  destination: string;
  retry: RetryPolicy;
  /** The longest that one attempt may take (Temporal's start-to-close timeout). */
  attemptMs: number;
  /** A worker that is silent for so long is taken for dead. */
  heartbeatMs: number;
  /** How long parked events are kept before the batch fails; absent in the plans of 0.1.0: for ever. */
  keepMs?: number;
}

/** Which destinations get a batch, and under which policies: the workflow's first argument. */
export interface Plan {
  version: 1;
  /** How many events the batch holds. */
  events: number;
  /** How long their JSON is; absent in the plans of 0.1.0. */
  bytes?: number;
  /** Whose turn a delivery takes where Temporal hands out by turns: its one source; absent: all others'. */
  fairnessKey?: string;
  deliveries: PlannedDelivery[];
}

/**
 * Places in the batch, ascending, as alternating start (inclusive) and end (exclusive):
 * `[0, 3, 7, 8]` is 0, 1, 2 and 7.
 */
export type Ranges = number[];

/**
 * A set of places that is never read in a workflow: ranges, or where these would be longer, a bitmap in
 * base64 (place 0 is the lowest bit of the first byte).
 */
export type Places = Ranges | string;

/** Why a connection's last attempt failed, in a word that can be filtered by. */
export const failureCodes = {
  rate_limited: 'answered 429',
  unavailable: 'answered 408, 425 or 5xx',
  refused: 'answered 401 or 403',
  rejects_all: 'rejects whatever is sent',
  unreachable: 'could not be connected to',
  silent: 'did not answer in time',
  broken: 'ended the connection in the middle',
  forbidden: 'has an address that may not be reached',
  fault: "a fault in the destination type's code",
  lost: 'the worker ended in the middle',
  removed: 'the destination is not configured any more',
} as const;
export type FailureCode = keyof typeof failureCodes;

/** One attempt to send a connection's events, as it is remembered. */
export interface PastAttempt {
  connection: string;
  /** When it began, in ms since the epoch, and how long it took. */
  at: number;
  ms: number;
  /** How many events it tried to send. */
  events: number;
  /** The last answer's status, or why there was none. */
  status: number | FailureCode;
  /** The partner's words, or ours, with no secret; absent where all is well. */
  reason?: string;
  /**
   * `yes`: all of them were taken, or refused one by one; else whether the partner has taken in those that
   * it did not say so of: certainly not, or perhaps.
   */
  received: 'no' | 'yes' | 'maybe';
}

/**
 * Why no further attempt is made without an operator's word: the partner refuses the credentials or the
 * address is forbidden, the retry policy is spent, the destination is not configured any more, or the
 * activity failed for good, e.g. by `temporal activity fail`.
 */
export type ParkReason = 'refused' | 'spent' | 'removed' | 'failed';

/** The same in words. */
export const parkReasons: Record<ParkReason, string> = {
  refused: 'the partner refuses the credentials, or its address is not allowed',
  spent: 'the retry policy is spent',
  removed: 'the destination is not configured any more',
  failed: 'its activity failed for good',
};

/** What one connection still has to send, and why it has not yet. Times are ms since the epoch. */
export interface Unsettled {
  connection: string;
  events: Ranges;
  /** The part of `events` that was tried and failed; it is sent last, so that it blocks nothing. */
  failed?: Ranges;
  /** The most items of a request: larger ones were refused whole, for their size or for one item. */
  most?: number;
  /** The last failure in words, with no secret; absent where nothing has failed. */
  reason?: string;
  /** When the first of the failed attempts in a row was made. */
  since?: number;
  /** Failed attempts in a row. */
  attempts?: number;
  /** When the next attempt is due. */
  notBefore?: number;
  /** The last failure's kind. */
  code?: FailureCode;
  /** The last few attempts, the latest last. */
  past?: PastAttempt[];
  parked?: ParkReason;
}

/** Why events were rejected, counted; `messageIds` names the first few. */
interface Rejection {
  reason: string;
  count: number;
  messageIds: string[];
  /** Which they were: the sets of several attempts are not merged. Absent in what 0.1.0 wrote. */
  events?: Places[];
}

export type FilterRule = 'source' | 'type' | 'integrations' | 'mapper';

/** Events with nothing to send, by why. */
export interface Filter {
  /**
   * `source`: the destination does not take this source; `type`: nor events of this type;
   * `integrations`: the event's own `integrations` keep it away; `mapper`: the destination type has
   * nothing to send for it.
   */
  rule: FilterRule;
  count: number;
  events?: Places[];
}

/** Parked events that an operator gave up. */
export interface Abandonment {
  connection: string;
  /** The operator's words. */
  reason: string;
  at: number;
  count: number;
  events: Ranges;
}

/** A delivery's outcomes, counted. */
export interface Receipt {
  delivered: number;
  rejected: number;
  filtered: number;
  /** The most reasons that are told apart is bounded; the rest are counted under one heading. */
  rejections: Rejection[];
  filters?: Filter[];
  /** The last few attempts, of whatever outcome, the latest last. */
  attempts?: PastAttempt[];
  abandoned?: Abandonment[];
}

/** How far a delivery has come: what it answers, and what its heartbeats keep. */
export interface Progress {
  receipt: Receipt;
  unsettled: Unsettled[];
}

/** One delivery: of the whole batch in a first pass, of what is unsettled in a continuation. */
export interface DeliverInput {
  destination: string;
  retry: RetryPolicy;
  /** The plan's, where it says so. */
  bytes?: number;
  /** Absent in a first pass. */
  unsettled?: Unsettled[];
}

/** The activities of every destination's queue. */
export interface DeliveryActivities {
  /**
   * A first pass answers with what it left unsettled. A continuation fails, to be tried again,
   * while anything is due to be; it answers once all is settled or parked.
   */
  deliver(input: DeliverInput): Promise<Progress>;
}

/** The type of the failure of a batch that has kept parked events for too long. */
export const notDelivered = 'NotDelivered';

/** What became of a batch: the workflow's result. */
export interface BatchReceipt {
  events: number;
  deliveries: Record<string, Receipt>;
}

/**
 * What a redrive or an abandon is for: all that is parked, or what one of these names, destinations or
 * connections, holds; and of it what last failed for one of these reasons.
 */
export interface Choice {
  names?: string[];
  reasons?: FailureCode[];
}

/** Whether a choice takes in something that a delivery still has to send. */
export const isChosen = (
  { names, reasons }: Choice,
  destination: string,
  { connection, code }: Pick<Unsettled, 'connection' | 'code'>,
): boolean =>
  (names === undefined || names.includes(destination) || names.includes(connection)) &&
  (reasons === undefined || (code !== undefined && reasons.includes(code)));

/** What a batch has at one connection and is not settled. */
export interface UnsettledState extends Unsettled {
  count: number;
  /** When it parked, in ms since the epoch; absent while it is under way. */
  parkedAt?: number;
}

/** How far a batch has come at one destination, as far as activities have handed in. */
export interface DeliveryState {
  /**
   * `under_way`: an activity is at some of it, or waits for its next attempt; `parked`: all that is left
   * waits for an operator; `settled`: nothing is left; `expired`: it was kept too long, and given up.
   */
  state: 'under_way' | 'parked' | 'settled' | 'expired';
  receipt: Receipt;
  unsettled: UnsettledState[];
}

/** By destination. */
export type BatchState = Record<string, DeliveryState>;

/**
 * The workflow type that redrives many batches, one for a destination at a time: its id is
 * `redrive-<destination>`. Its activities have a task queue of their own.
 */
export const redriveWorkflow = 'redriveBatches';
export const operationsQueue = 'operations';
export const redriveId = (destination: string): string => `redrive-${destination}`;

/** Signals to a redrive; `rate` takes how many batches a second. */
export const redriveSignals = { pause: 'pause', resume: 'resume', rate: 'rate' } as const;
/** Answers with a `RedriveProgress`. */
export const progressQuery = 'progress';

/** What a redrive does with the batches of a visibility query: signals them, or hurries what waits. */
export interface RedrivePass {
  kind: 'redrive' | 'hurry';
  query: string;
}

/** A redrive's input. */
export interface RedriveOrder {
  destination: string;
  choice: Choice;
  passes: RedrivePass[];
  /** The most batches a second that are acted on. */
  perSecond: number;
  /** How many batches its passes found when it was asked for. */
  counted: number;
}

/** What a redrive has done. */
export interface RedriveCounts {
  /** Batches that were signalled, or looked through for deliveries that wait. */
  done: number;
  /** Deliveries that waited for their next attempt, and were handed out at once. */
  hurried: number;
  /** Batches that had ended before their turn: nothing was left of them to send. */
  ended: number;
  failed: number;
  /** The first few of those that failed. */
  failures: { batch: string; reason: string }[];
}

export interface RedriveProgress extends RedriveCounts {
  state: 'running' | 'paused' | 'finished';
  perSecond: number;
  counted: number;
  /** Of what was counted; 0 once all is gone through. */
  left: number;
}

/** Some of a pass's batches. */
export interface RedrivePageInput extends RedrivePass {
  destination: string;
  choice: Choice;
  perSecond: number;
  /** Where visibility goes on, as it said; absent: from the front. */
  token?: string;
  /** Batches that an earlier activity has read and not come to. */
  rest?: string[];
}

export interface RedrivePageAnswer extends RedriveCounts {
  /** How many were acted on, so that a pace can be kept. */
  acted: number;
  token?: string;
  rest?: string[];
}

/** The activities of `operations`. */
export interface OperationActivities {
  redrivePage(input: RedrivePageInput): Promise<RedrivePageAnswer>;
}

const reasonsKept = 10;
const messageIdsKept = 3;
/** Of a delivery's attempts, and of a connection's that are not over. */
const attemptsKept = 10;
const otherReasons = 'other reasons';

export const emptyReceipt = (): Receipt => ({
  delivered: 0,
  rejected: 0,
  filtered: 0,
  rejections: [],
});

/** Sets of the same kind; where one is not known, all of them are not. */
const both = (one: { count: number; events?: Places[] }, more: { events?: Places[] }) => {
  if (one.count === 0) return more.events;
  return one.events && more.events && [...one.events, ...more.events];
};

/** Counts rejections of one reason into a receipt. */
const addRejection = (receipt: Receipt, rejection: Rejection): void => {
  const { reason, count, messageIds } = rejection;
  const find = (words: string) => receipt.rejections.find((known) => known.reason === words);
  let entry = find(reason);
  if (entry === undefined) {
    const full = receipt.rejections.length >= reasonsKept;
    entry = full ? find(otherReasons) : undefined;
    if (entry === undefined) {
      entry = { reason: full ? otherReasons : reason, count: 0, messageIds: [] };
      receipt.rejections.push(entry);
    }
  }
  const events = both(entry, rejection);
  if (events !== undefined) entry.events = events;
  else delete entry.events;
  entry.count += count;
  entry.messageIds.push(...messageIds.slice(0, messageIdsKept - entry.messageIds.length));
};

const addFilter = (receipt: Receipt, filter: Filter): void => {
  receipt.filters ??= [];
  let entry = receipt.filters.find(({ rule }) => rule === filter.rule);
  if (entry === undefined) receipt.filters.push((entry = { rule: filter.rule, count: 0 }));
  const events = both(entry, filter);
  if (events !== undefined) entry.events = events;
  else delete entry.events;
  entry.count += filter.count;
};

/** The last few of attempts that are in order each, in order. */
export const lastAttempts = (
  attempts: readonly PastAttempt[],
  more: readonly PastAttempt[],
): PastAttempt[] =>
  [...attempts, ...more].sort((one, other) => one.at - other.at).slice(-attemptsKept);

/** Counts one receipt into another, which is changed. */
export const addReceipt = (receipt: Receipt, more: Receipt): void => {
  receipt.delivered += more.delivered;
  receipt.rejected += more.rejected;
  receipt.filtered += more.filtered;
  for (const rejection of more.rejections) addRejection(receipt, rejection);
  for (const filter of more.filters ?? []) addFilter(receipt, filter);
  if (more.attempts !== undefined) {
    receipt.attempts = lastAttempts(receipt.attempts ?? [], more.attempts);
  }
  if (more.abandoned !== undefined) {
    receipt.abandoned = [...(receipt.abandoned ?? []), ...more.abandoned];
  }
};

/** How many places ranges hold. */
export const countRanges = (ranges: Ranges): number =>
  ranges.reduce((sum, bound, at) => sum + (at % 2 === 0 ? -bound : bound), 0);

/** The longest list of names, from the front, that a search attribute's value can hold. */
export const boundedNames = (names: Iterable<string>): string[] => {
  const kept: string[] = [];
  let bytes = 2;
  for (const name of names) {
    bytes += name.length + 3; // names are ASCII; JSON adds quotes and a comma
    if (bytes > searchAttributeBytes) break;
    kept.push(name);
  }
  return kept;
};
