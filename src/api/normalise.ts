import { PostedEvent, type Event, type EventType, type JsonObject } from '../event.ts';
import type { AcceptedEvent } from '../temporal/events-encoding.ts';
import { missingIp, type Client } from './client-ip.ts';
import { correctTimes } from './clock-skew.ts';
import { refusal, type Refusal } from './errors.ts';
import { wordsOf } from './issue-words.ts';
import { deepest, isObject, mergeUnder, settleNumbers, tame } from './json-data.ts';

/** What an event takes from the request that brought it. */
export interface EventSurroundings {
  /** Said by the path; absent in a batch, whose events say it themselves. */
  type?: EventType;
  /** ms since the epoch. */
  receivedAt: number;
  /** The batch's, as posted. */
  sentAt?: unknown;
  /** The batch's, merged under each event's own: Go and Java name their library only there. */
  context?: JsonObject;
  integrations?: JsonObject;
  /** Who posted it. */
  client: Client;
  /** Names an event that came without a `messageId`. */
  newId: () => string;
}

const together = (under: JsonObject | undefined, over: JsonObject | undefined): JsonObject =>
  under === undefined || over === undefined ? (over ?? under ?? {}) : mergeUnder(under, over);

/** The fields that have a value: the JSON, which is what travels, holds no others. */
const present = (fields: JsonObject): JsonObject => {
  const found: JsonObject = {};
  for (const key in fields) if (fields[key] !== undefined) found[key] = fields[key];
  return found;
};

/**
 * Validates a posted event and completes it: a `messageId`, corrected times, and what the batch
 * says for all its events, and its client's address.
 * @param raw parsed JSON that is the caller's to give away: it is tamed in place
 * @returns the event, equal to what its JSON text parses to, or why it is refused
 */
export const normalise = (raw: unknown, around: EventSurroundings): AcceptedEvent | Refusal => {
  if (!isObject(raw)) return refusal('invalid_event');
  if (!tame(raw)) return refusal('event_too_deep', `The event has more than ${deepest} levels`);
  const parsed = PostedEvent.safeParse(
    around.type === undefined ? raw : { ...raw, type: around.type },
  );
  if (!parsed.success) return refusal('invalid_event', wordsOf(parsed.error));
  const posted = parsed.data;
  if (posted.userId === undefined && posted.anonymousId === undefined) {
    return refusal('no_user_anon_id');
  }
  const context = together(around.context, posted.context);
  const ip = missingIp(context, around.client);
  const added = {
    messageId: posted.messageId ?? around.newId(),
    context: ip === undefined ? context : { ...context, ip },
    integrations: together(around.integrations, posted.integrations),
    ...correctTimes(posted, around.receivedAt, around.sentAt),
    receivedAt: new Date(around.receivedAt).toISOString(),
    version: 2,
  };
  const event = present(Object.assign(posted, added)) as unknown as Event;
  settleNumbers(event);
  return { event, json: JSON.stringify(event) };
};
