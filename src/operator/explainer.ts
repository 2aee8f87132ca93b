import type { Client } from '@temporalio/client';
import type { BatchRun } from '../activities/attempt.ts';
import type { Destination } from '../destinations/destination.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';
import { viewBatch, type BatchView } from './batch-view.ts';
import { explainEvent, type DestinationAccount } from './explain.ts';
import type { Fate } from './fate.ts';
import { fateWords } from './fate-words.ts';
import { findEvent, searchedWords, type FoundEvent, type SearchLimits } from './find-event.ts';
import type { ToldAttempt } from './told-attempts.ts';
import { whereToLook, type Question } from './where.ts';

/** A `DestinationAccount` as it is told: its fate in words too, and every time in ISO-8601. */
interface ToldDestination {
  destination: string;
  connection?: string;
  outcome: Fate['outcome'];
  words: string;
  /** What the words are made of: the other keys of the fate. */
  detail: Record<string, unknown>;
  attempts: (Omit<ToldAttempt, 'at'> & { at: string })[];
}

/** One event of one batch and what became of it, without what it says of anybody. Times are ISO-8601. */
export interface ToldEvent {
  messageId: string;
  type: string;
  source: string;
  acceptedAt: string;
  /** `place` is from 0. */
  batch: { id: string; place: number; events: number; status: string; startedAt: string };
  destinations: ToldDestination[];
  /** Why less is known than might be. */
  notes: string[];
}

export interface Explanation {
  /** None: it was not found. Several: it was sent several times, or by several sources. */
  events: ToldEvent[];
  searched: string;
  isCutShort: boolean;
}

/**
 * Answers what became of an event.
 * @param over ends the search, by throwing
 * @throws UserError where the question says too little, too much, or no time; CannotOpen where it is not
 * found and some of what was searched cannot be opened, or nothing can be told without
 */
export type Explain = (question: Question, over?: AbortSignal) => Promise<Explanation>;

/** A call to Temporal that hangs is given up so much later than the search's limit. */
const graceMs = 15_000;

const times = new Set(['at', 'since', 'nextAttemptAt', 'parkedAt', 'keptUntil']);
const withIso = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, held: unknown) =>
      times.has(key) && typeof held === 'number' ? new Date(held).toISOString() : held,
    ),
  );

const toldDestination = ({ destination, connection, fate, attempts }: DestinationAccount) => {
  const { outcome, ...detail } = fate;
  const words = fateWords(fate);
  return withIso({ destination, connection, outcome, words, detail, attempts }) as ToldDestination;
};

const told = (
  view: BatchView,
  found: FoundEvent,
  destinations: readonly Destination[],
): ToldEvent => {
  const { messageId, type, receivedAt } = found.event;
  return {
    messageId,
    type,
    source: found.source,
    acceptedAt: receivedAt,
    batch: {
      id: view.batch,
      place: found.place,
      events: view.plan.events,
      status: view.status,
      startedAt: new Date(view.startedAt).toISOString(),
    },
    destinations: explainEvent(view, found, destinations).map(toldDestination),
    notes: [
      ...(view.failure === undefined
        ? []
        : [`The batch ended without having delivered all: ${view.failure}`]),
      ...(view.unasked === undefined ? [] : [`Not all can be told: ${view.unasked}.`]),
    ],
  };
};

/** @param destinations today's, for what a batch's plan does not say */
export const createExplainer =
  ({
    client,
    readBatch,
    destinations,
    limits,
    now = Date.now,
  }: {
    client: Client;
    readBatch: (run: BatchRun) => Promise<readonly BatchedEvent[]>;
    destinations: readonly Destination[];
    limits: SearchLimits;
    now?: () => number;
  }): Explain =>
  async (question, over) => {
    const where = whereToLook(question, now());
    return client.withDeadline(Date.now() + limits.ms + graceMs, async () => {
      const find = { client, readBatch, now };
      const { found, searched } = await findEvent(find, question.messageId, where, limits, over);
      const views = new Map<string, BatchView>();
      for (const { batch } of found) {
        if (!views.has(batch)) views.set(batch, await viewBatch(client, batch));
      }
      return {
        events: found.map((event) => told(views.get(event.batch)!, event, destinations)),
        searched: searchedWords(searched),
        isCutShort: searched.cutShort !== undefined,
      };
    });
  };
