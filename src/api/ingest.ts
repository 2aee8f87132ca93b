import type { Breathe } from '../breather.ts';
import type { Metrics } from '../metrics.ts';
import type { AcceptedEvent } from '../temporal/events-encoding.ts';
import type { Turn } from '../turns.ts';
import type { Client } from './client-ip.ts';
import type { Coalescer } from './coalescer.ts';
import type { Dedupe } from './dedupe.ts';
import { Refused, refusal, type Refusal, type RejectedEvent } from './errors.ts';
import { normalise, type EventSurroundings } from './normalise.ts';
import type { Posted } from './posted.ts';
import { eventWriteKey } from './write-key.ts';

/** Most bytes of one event's JSON, normalised; Segment's documented limit. */
const eventBytes = 32 * 1024;
/** Most bytes of all of a request's events, normalised: a batch's context is repeated in each. */
const requestBytes = 4 * 1024 * 1024;

export interface IngestDeps {
  coalescer: Coalescer;
  dedupe: Dedupe;
  /** ms since the epoch. */
  clock: () => number;
  newId: () => string;
  metrics: Pick<Metrics['api'], 'accepted' | 'duplicates' | 'rejected'>;
}

/** What became of a request whose events, all or some, are durable. */
export interface Ingested {
  /** The batch that holds them; absent where all repeat events of long ago. */
  batch: string | undefined;
  rejected: RejectedEvent[];
}

/**
 * Takes a request's events in.
 * @param source the authenticated source's name
 * @param client who posted them
 * @param turn ended once the events are sorted, before they are durable
 * @param onlyKey where the events themselves named the source: the key that each must have
 * @throws Refused where none can be taken, and what the coalescer throws where they are not durable
 */
export type Ingest = (
  source: string,
  posted: Posted,
  client: Client,
  turn: Turn,
  onlyKey?: string,
) => Promise<Ingested>;

const notTheSources = refusal(
  'invalid_write_key',
  'The events name different write keys; this is not that of the first',
);

const allRefused = (posted: Posted, rejected: readonly RejectedEvent[]): Refused => {
  const [{ code, message }] = rejected as [RejectedEvent];
  return posted.call === 'batch'
    ? new Refused(code, `Every event was refused; the first: ${message}`, rejected)
    : new Refused(code, message);
};

export const createIngest = ({ coalescer, dedupe, clock, newId, metrics }: IngestDeps): Ingest => {
  const sort = async (
    posted: Posted,
    client: Client,
    breathe: Breathe,
    onlyKey: string | undefined,
  ) => {
    const { call, sentAt, context, integrations } = posted;
    const around: EventSurroundings = {
      receivedAt: clock(),
      client,
      newId,
      sentAt,
      ...(call !== 'batch' && { type: call }),
      ...(context !== undefined && { context }),
      ...(integrations !== undefined && { integrations }),
    };
    const taken: AcceptedEvent[] = [];
    const rejected: RejectedEvent[] = [];
    let total = 0;
    const take = (raw: unknown): Refusal | undefined => {
      if (onlyKey !== undefined && eventWriteKey(raw) !== onlyKey) return notTheSources;
      const result = normalise(raw, around);
      if ('code' in result) return result;
      const bytes = Buffer.byteLength(result.json);
      total += bytes;
      if (bytes > eventBytes) {
        return refusal(
          'event_too_large',
          `The event has ${bytes} bytes of JSON; the most is ${eventBytes}`,
        );
      }
      taken.push(result);
      return undefined;
    };
    for (const [index, raw] of posted.events.entries()) {
      await breathe();
      const refused = take(raw);
      if (refused !== undefined) rejected.push({ index, ...refused });
      // At once, lest a large context be merged into thousands of small events first.
      if (total > requestBytes) {
        throw new Refused(
          'request_too_large',
          `The events, with the batch's context in each, have more than ${requestBytes} bytes`,
        );
      }
    }
    return { taken, rejected };
  };

  return async (source, posted, client, turn, onlyKey) => {
    const { taken, rejected } = await sort(posted, client, turn.breathe, onlyKey);
    turn.end();
    for (const { code } of rejected) metrics.rejected.inc({ code });
    if (taken.length === 0) throw allRefused(posted, rejected);
    const { batch, accepted } = await dedupe.submit(source, taken, async (fresh) => {
      const started = await coalescer.submit(source, fresh);
      metrics.accepted.inc(fresh.length); // also where the request fails for another event's sake
      return started;
    });
    metrics.duplicates.inc(taken.length - accepted);
    return { batch, rejected };
  };
};
