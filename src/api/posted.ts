import { z } from 'zod';
import type { EventType } from '../event.ts';
import { Refused } from './errors.ts';
import { wordsOf } from './issue-words.ts';
import { deepest, isObject, tame } from './json-data.ts';

/** Most events of one request; Segment's documented limit. */
const mostEvents = 2_500;

const shared = z.record(z.string(), z.unknown(), { error: 'must be an object' }).nullish();

/**
 * What a client may post as a batch. Its events are looked at one by one, so that a bad one harms
 * no other. The fields that clients add beside these (`sequence`, a `messageId` and a `timestamp`
 * of the request) mean nothing to us.
 */
export const PostedBatch = z.looseObject({
  // How many it holds is looked at apart, for each has a code of its own.
  batch: z
    .array(z.unknown(), { error: 'must be an array of events' })
    .meta({ minItems: 1, maxItems: mostEvents }),
  context: shared.meta({ description: "Merged under each event's own." }),
  integrations: shared.meta({ description: "Merged under each event's own." }),
  sentAt: z.unknown().optional().meta({ description: 'ISO-8601; by the clock of the client' }),
  writeKey: z.unknown().optional().meta({ description: 'Where the header has none.' }),
});

/** What a path takes: events of one type, or a batch. */
export type Call = EventType | 'batch';

/** A request's body, taken apart but for its events. */
export interface Posted {
  call: Call;
  /** Unchecked. */
  events: readonly unknown[];
  /** The body's own, beside those of a batch's events. */
  writeKey: unknown;
  sentAt: unknown;
  context: Record<string, unknown> | undefined;
  integrations: Record<string, unknown> | undefined;
}

/**
 * @param body parsed JSON, which is tamed in place
 * @throws Refused where no event can be made out
 */
export const readPosted = (call: Call, body: unknown): Posted => {
  if (!isObject(body)) throw new Refused('invalid_body');
  const nothing = { sentAt: undefined, context: undefined, integrations: undefined };
  if (call !== 'batch') return { ...nothing, call, events: [body], writeKey: body['writeKey'] };

  const parsed = PostedBatch.safeParse(body);
  if (!parsed.success) throw new Refused('invalid_body', wordsOf(parsed.error));
  const { batch, writeKey, sentAt, context, integrations } = parsed.data;
  if (batch.length === 0) throw new Refused('empty_batch');
  if (batch.length > mostEvents) {
    throw new Refused(
      'too_many_events',
      `batch: holds ${batch.length} events; a request may hold ${mostEvents}`,
    );
  }
  if (!tame(context) || !tame(integrations)) {
    throw new Refused('event_too_deep', `The batch has more than ${deepest} levels`);
  }
  return {
    call,
    events: batch,
    writeKey,
    sentAt,
    context: context ?? undefined,
    integrations: integrations ?? undefined,
  };
};
