/**
 * All that crosses Temporal: names, the plan, what a delivery is given and answers.
 * Workflows import this file, so it imports nothing that runs.
 */

/** The workflow type that carries one batch, and the task queue of its workflow tasks. */
export const batchWorkflow = 'deliverBatch';
export const batchQueue = 'batches';

/** The task queue of one destination's deliveries. */
export const destinationQueue = (destination: string): string => `destination-${destination}`;

/** Sends the unsettled events of a batch's parked deliveries again, now. */
export const redriveSignal = 'redrive';

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
export const searchAttributeBytes = 2048;

/** How a delivery is tried again; times in milliseconds. */
export interface RetryPolicy {
  firstDelayMs: number;
  factor: number;
  maxDelayMs: number;
  /** Counted from a connection's first failed attempt; past it the continuation parks. */
  giveUpAfterMs: number;
}

/** One destination's part of the plan. */
export interface PlannedDelivery {
  destination: string;
  retry: RetryPolicy;
  /** The longest that one attempt may take; see `attemptLimitMs` in activities/deliver. */
  attemptMs: number;
}

/** Which destinations get a batch, and under which policies: the workflow's first argument. */
export interface Plan {
  version: 1;
  /** How many events the batch holds. */
  events: number;
  deliveries: PlannedDelivery[];
}

/**
 * Positions in the batch, ascending, as alternating start (inclusive) and end (exclusive):
 * `[0, 3, 7, 8]` is 0, 1, 2 and 7.
 */
export type Ranges = number[];

/** What one connection still has to send, and why it has not yet. */
export interface Unsettled {
  connection: string;
  events: Ranges;
  /** The part of `events` that was tried and failed; it is sent last, so that it blocks nothing. */
  failed?: Ranges;
  /** The last answer, in words; absent where nothing was tried. Never holds a secret. */
  reason?: string;
  /** Time of the first failed attempt in a row, in ms since the epoch. */
  since?: number;
  /** Failed attempts in a row. */
  attempts?: number;
  /** The partner asked for this pause, in ms. */
  retryAfterMs?: number;
  /** Why no further attempt is made without an operator. */
  parked?: 'refused' | 'spent';
}

/** Why events were rejected, counted; `messageIds` names the first few. */
export interface Rejection {
  reason: string;
  count: number;
  messageIds: string[];
}

/** A delivery's outcomes, counted. */
export interface Receipt {
  delivered: number;
  rejected: number;
  filtered: number;
  /** At most `rejectionsKept`, the rest counted under one heading. */
  rejections: Rejection[];
}

/** How far a delivery has come: what it answers, and what its heartbeats keep. */
export interface Progress {
  receipt: Receipt;
  unsettled: Unsettled[];
}

/** One delivery: the whole batch in a first pass, or, in a continuation, what is unsettled. */
export interface DeliverInput {
  destination: string;
  retry: RetryPolicy;
  /** The sooner of these ends an attempt's sending; what is left goes on in another. */
  attemptMs: number;
  /** Absent in a first pass. */
  unsettled?: Unsettled[];
}

/** The activity, on each destination's queue. */
export interface DeliveryActivities {
  /**
   * A first pass answers with what it left unsettled. A continuation fails (retryable) while
   * anything is to be tried again, and answers once all is settled or parked.
   */
  deliver(input: DeliverInput): Promise<Progress>;
}

/** What became of a batch: the workflow's result. */
export interface BatchReceipt {
  events: number;
  deliveries: Record<string, Receipt>;
}
