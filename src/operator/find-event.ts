import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { BatchRun } from '../activities/attempt.ts';
import { batchWorkflow } from '../delivery.ts';
import { CannotOpen } from '../encryption.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';
import type { Where } from './where.ts';

/** An event with where it was found. */
export interface FoundEvent extends BatchedEvent {
  batch: string;
  /** In the batch, from 0. */
  place: number;
}

/** What was looked at. Times are those of batches' starts, in ms since the epoch. */
export interface Searched {
  by: Where['by'];
  /** How many batches were read. */
  batches: number;
  from?: number;
  to?: number;
  /** The time that was looked around. */
  at?: number;
  /** Which limit ended the search before all of `from` to `to` was looked at. */
  cutShort?: 'batches' | 'time';
  /** Batches whose events could not be read, and the first one's reason. */
  unreadable?: { batches: number; reason: string };
}

export interface SearchLimits {
  batches: number;
  ms: number;
}

export interface FindEventDeps {
  client: Client;
  readBatch: (run: BatchRun) => Promise<readonly BatchedEvent[]>;
  /** ms since the epoch. */
  now: () => number;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/**
 * How far before and after the time to look, in ms, until something is found. An event comes after its
 * id was made: in seconds, but for clients that were offline or whose clock is wrong.
 */
const reaches: Record<'id' | 'around', readonly { before: number; after: number }[]> = {
  id: [
    { before: minute / 6, after: minute },
    { before: minute, after: 10 * minute },
    { before: 10 * minute, after: 2 * hour },
    { before: 2 * hour, after: day },
    { before: day, after: 7 * day },
  ],
  around: [
    { before: minute, after: minute },
    { before: 10 * minute, after: 10 * minute },
    { before: 2 * hour, after: 2 * hour },
    { before: day, after: day },
  ],
};

/** Batches that are read at a time; each may be some MB of JSON. */
const atOnce = 4;

const iso = (ms: number): string => new Date(ms).toISOString();

const placesOf = (events: readonly BatchedEvent[], messageId: string, batch: string) =>
  events.flatMap(({ source, event }, place): FoundEvent[] =>
    event.messageId === messageId ? [{ batch, place, source, event }] : [],
  );

/** @throws WorkflowNotFoundError where there is none of this name */
const findInBatch = async (
  { client, readBatch }: FindEventDeps,
  messageId: string,
  batch: string,
): Promise<FoundEvent[]> => {
  const { type, runId } = await client.workflow.getHandle(batch).describe();
  if (type !== batchWorkflow) throw new WorkflowNotFoundError('not a batch', batch, undefined);
  return placesOf(await readBatch({ workflowId: batch, runId }), messageId, batch);
};

/**
 * Finds the batches that hold a messageId: several where it was sent again, or by several sources. Looks
 * further and further from the time, and ends with the step that finds it.
 * @param limits of the search by time
 * @param over ends the search, by throwing
 * @throws CannotOpen where nothing is found, and it may be in what a key is missing for
 */
export const findEvent = async (
  deps: FindEventDeps,
  messageId: string,
  where: Where,
  limits: SearchLimits,
  over?: AbortSignal,
): Promise<{ found: FoundEvent[]; searched: Searched }> => {
  if (where.by === 'batch') {
    try {
      const found = await findInBatch(deps, messageId, where.batch);
      return { found, searched: { by: 'batch', batches: 1 } };
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      return { found: [], searched: { by: 'batch', batches: 0 } };
    }
  }
  const { client, readBatch, now } = deps;
  const { at, by } = where;
  const end = now() + limits.ms;
  const found: FoundEvent[] = [];
  const searched: Searched = { by, at, batches: 0 };
  const seen = new Set<string>();
  let lacked: CannotOpen | undefined;

  const look = async (runs: readonly BatchRun[]): Promise<void> => {
    const held = await Promise.all(
      runs.map(async (run) => {
        try {
          return placesOf(await readBatch(run), messageId, run.workflowId);
        } catch (error) {
          const { batches = 0, reason = (error as Error).message } = searched.unreadable ?? {};
          searched.unreadable = { batches: batches + 1, reason };
          if (error instanceof CannotOpen) lacked ??= error;
          return [];
        }
      }),
    );
    searched.batches += runs.length;
    found.push(...held.flat());
  };

  /** @returns whether all that started between the two was looked at */
  const lookBetween = async (from: number, to: number): Promise<boolean> => {
    const query = `WorkflowType = '${batchWorkflow}' AND StartTime BETWEEN '${iso(from)}' AND '${iso(to)}'`;
    let next: BatchRun[] = [];
    for await (const { workflowId, runId } of client.workflow.list({ query, pageSize: 200 })) {
      over?.throwIfAborted();
      if (seen.has(workflowId)) continue; // another run of it holds the same events
      if (seen.size >= limits.batches) searched.cutShort = 'batches';
      else if (now() >= end) searched.cutShort = 'time';
      if (searched.cutShort !== undefined) break;
      seen.add(workflowId);
      next.push({ workflowId, runId });
      if (next.length === atOnce) {
        await look(next);
        next = [];
      }
    }
    await look(next);
    return searched.cutShort === undefined;
  };

  for (const { before, after } of reaches[by]) {
    const { from: knownFrom, to: knownTo } = searched;
    const from = Math.max(0, at - before);
    const to = Math.min(at + after, Math.max(now(), at));
    searched.from = from;
    searched.to = to;
    const complete =
      knownFrom === undefined || knownTo === undefined
        ? await lookBetween(from, to)
        : (knownTo === to || (await lookBetween(knownTo, to))) &&
          (await lookBetween(from, knownFrom));
    if (!complete || found.length > 0) break;
  }
  if (found.length === 0 && lacked !== undefined) {
    const { unreadable, ...looked } = searched;
    throw new CannotOpen(
      `Not found in what can be read. ${searchedWords(looked)} ${unreadable!.batches} of them cannot be read: ${lacked.message}`,
    );
  }
  return { found, searched };
};

/** What was searched, in a sentence. */
export const searchedWords = ({
  by,
  batches,
  from = 0,
  to = 0,
  at = 0,
  cutShort,
  unreadable,
}: Searched): string => {
  if (by === 'batch') {
    return batches === 0
      ? 'There is no such batch, or its retention in Temporal is over.'
      : 'Searched the batch that was named.';
  }
  const limit = cutShort === 'time' ? 'the time for a search was over' : 'a search reads no more';
  return (
    `Searched ${batches} ${batches === 1 ? 'batch' : 'batches'} started between ${iso(from)} and ${iso(to)}` +
    `${by === 'id' ? ` (the messageId says ${iso(at)})` : ''}.` +
    (cutShort === undefined ? '' : ` It was cut short, for ${limit}: name a closer time.`) +
    (unreadable === undefined
      ? ''
      : ` ${unreadable.batches} of them could not be read (${unreadable.reason}).`)
  );
};
