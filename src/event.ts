import { z } from 'zod';

/** The six Segment calls, in the order of Segment's documentation. */
export const eventTypes = ['track', 'identify', 'page', 'screen', 'group', 'alias'] as const;
export type EventType = (typeof eventTypes)[number];

export type JsonObject = Record<string, unknown>;

/** Most characters of a `messageId`, `userId`, … that are accepted. Segment documents "< 100" for messageId. */
const longestMessageId = 100;
const longestId = 512;

const nonEmpty = 'must be a non-empty string';
const idText = (longest: number) =>
  z.string().max(longest, `must be at most ${longest} characters long`);

// Real clients send explicit nulls (Python) and hand-written ones send numbers as ids, so both are
// taken; the empty string identifies nobody, so it counts as absent.
const id = (longest: number) =>
  z
    .union([idText(longest), z.number().transform(String)], {
      error: 'must be a string or a number',
    })
    .nullish()
    .transform((value) => (value === null || value === '' ? undefined : value));
const requiredId = (longest: number) =>
  z.union([idText(longest).min(1, nonEmpty), z.number().transform(String)], { error: nonEmpty });
const object = z.record(z.string(), z.unknown(), { error: 'must be an object' });
const optionalObject = object.nullish().transform((value) => value ?? undefined);
const payload = object.nullish().transform((value) => value ?? {});
const optionalText = z
  .string({ error: 'must be a string' })
  .nullish()
  .transform((value) => value ?? undefined);
// Whatever a client writes here, the event is taken: a time that cannot be read is replaced.
const anyTime = z.unknown().optional().meta({ description: 'ISO-8601' });

const common = {
  messageId: id(longestMessageId),
  userId: id(longestId),
  anonymousId: id(longestId),
  context: optionalObject,
  integrations: optionalObject,
  timestamp: anyTime,
  originalTimestamp: anyTime,
  sentAt: anyTime,
  // A credential: read before the event is, and never kept.
  writeKey: z
    .unknown()
    .optional()
    .meta({ description: 'Where neither the header nor the batch has it.' })
    .transform(() => undefined),
};

/** What a client may post, by type. Unknown fields are kept; absent and null mean the same. */
export const PostedEvent = z.discriminatedUnion(
  'type',
  [
    z.looseObject({
      ...common,
      type: z.literal('track'),
      event: z.string({ error: nonEmpty }).min(1, nonEmpty),
      properties: payload,
    }),
    z.looseObject({ ...common, type: z.literal('identify'), traits: payload }),
    z.looseObject({
      ...common,
      type: z.literal('page'),
      name: optionalText,
      category: optionalText,
      properties: payload,
    }),
    z.looseObject({
      ...common,
      type: z.literal('screen'),
      name: optionalText,
      category: optionalText,
      properties: payload,
    }),
    z.looseObject({
      ...common,
      type: z.literal('group'),
      groupId: requiredId(longestId),
      traits: payload,
    }),
    z.looseObject({
      ...common,
      type: z.literal('alias'),
      userId: requiredId(longestId),
      previousId: requiredId(longestId),
    }),
  ],
  { error: `must be one of ${eventTypes.join(', ')}` },
);
export type PostedEvent = z.output<typeof PostedEvent>;

/** What every accepted event has, whatever its type. All times are ISO-8601 in UTC. */
interface EventBase {
  messageId: string;
  userId?: string;
  anonymousId?: string;
  context: JsonObject;
  integrations: JsonObject;
  /** When it happened, with the client's clock skew corrected. */
  timestamp: string;
  /** When it happened by the client's own clock. */
  originalTimestamp: string;
  sentAt?: string;
  receivedAt: string;
  version: 2;
}

export interface TrackEvent extends EventBase {
  type: 'track';
  event: string;
  properties: JsonObject;
}
export interface IdentifyEvent extends EventBase {
  type: 'identify';
  traits: JsonObject;
}
export interface PageEvent extends EventBase {
  type: 'page';
  name?: string;
  category?: string;
  properties: JsonObject;
}
export interface ScreenEvent extends EventBase {
  type: 'screen';
  name?: string;
  category?: string;
  properties: JsonObject;
}
export interface GroupEvent extends EventBase {
  type: 'group';
  groupId: string;
  traits: JsonObject;
}
export interface AliasEvent extends EventBase {
  type: 'alias';
  userId: string;
  previousId: string;
}

/** An accepted event: validated, complete, and never changed afterwards. */
export type Event = TrackEvent | IdentifyEvent | PageEvent | ScreenEvent | GroupEvent | AliasEvent;

export type EventOf<T extends EventType> = Extract<Event, { type: T }>;
