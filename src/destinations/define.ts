import { z } from 'zod';
import type { EventOf, EventType } from '../event.ts';
import type { RetryPolicy } from '../delivery.ts';

/** What became of one event at one destination. `refused` concerns the connection: an operator must act. */
export type Outcome =
  | { kind: 'delivered' }
  | { kind: 'rejected'; reason: string }
  | { kind: 'retry'; reason: string; retryAfterMs?: number }
  | { kind: 'refused'; reason: string };

/**
 * What an answer says of one item: its outcome, or that it was not taken because of another item of
 * the same request. The engine then sends the blocked items once more without the others, or in
 * halves where all are blocked, until the culprit is alone: that one is rejected for the reason.
 */
export type Verdict = Outcome | { kind: 'blocked'; reason: string };

/** The verdicts that types answer with; everything else has words of its own. */
export const delivered: Verdict = { kind: 'delivered' };
export const rejected = (reason: string): Verdict => ({ kind: 'rejected', reason });
export const blocked = (reason: string): Verdict => ({ kind: 'blocked', reason });

/** One request to a partner, as plain data. The body is sent byte for byte as it stands here. */
export interface PartnerRequest {
  method: 'POST' | 'PUT' | 'PATCH' | 'GET';
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** A partner's answer. `body` is its text, cut at the engine's size limit. */
export interface PartnerResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** The only clock a type may read: when this attempt sends, in ms since the epoch. */
export interface Attempt {
  time: number;
}

export interface DestinationDefinition<Settings extends z.ZodObject, Item extends object> {
  /** Slug: the configuration's `type`, this file's name and the fixture's. */
  type: string;
  /** The partner's name, as `integrations` objects spell it. */
  name: string;
  /** Further names that `integrations` objects know it by, as Segment's catalogue lists them. */
  otherNames?: readonly string[];
  /** The partner's reference of the API used. */
  docs: string;
  /** What an operator has to know beforehand: what is not sent, and what may count twice. */
  notes?: string;
  /**
   * Secrets are marked `.meta({ secret: true })`; they are masked wherever words leave the process.
   * Refine single settings, not the whole: a connection may give a part of them.
   */
  settings: Settings;
  /**
   * One mapper per supported event type: the item to send (an object, not an array), or null where
   * there is nothing to send. A mapper that throws rejects its event with the error's message.
   */
  events: {
    [T in EventType]?: (event: EventOf<T>, settings: z.output<Settings>) => Item | null;
  };
  /** How old an event may be when it is sent, in ms; older ones are rejected. Absent: any age. */
  maxAgeMs?: number;
  /** What may share a request; absent: one request per event. */
  batch?: {
    /** Most items of a request. */
    max: number;
    /** Most bytes of a request's body, uncompressed. */
    maxBytes?: number;
    /** Items share a request only where this is equal. */
    groupBy?: (item: Item) => string;
  };
  /** Builds the request; pure, and the same on every attempt but for what depends on `attempt`. */
  request: (
    items: readonly Item[],
    settings: z.output<Settings>,
    attempt: Attempt,
  ) => PartnerRequest;
  /**
   * Reads answers that a status code does not tell: one verdict for all, one per item in order,
   * or undefined to go by the status code.
   */
  classify?: (response: PartnerResponse, items: readonly Item[]) => Verdict | Verdict[] | undefined;
  retry?: Partial<RetryPolicy>;
  /**
   * What a pause concerns that the partner asks for: the connection, where it counts by the customer's
   * account (the default), or all of the destination, where it counts by the sender's.
   */
  throttles?: 'connection' | 'destination';
  /** Requests per second, per process, that the partner takes. */
  rate?: { perSecond: number };
  /** Longest wait for one request's answer, in ms; default 10 s, as Segment's. */
  timeoutMs?: number;
}

/** A destination type as the engine sees it: settings and items are opaque. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the definition was checked with its own types; the engine only passes values through
export type DestinationType = DestinationDefinition<z.ZodObject, any>;

/** A setting that is a secret text. `message` must not quote it. */
export const secret = (pattern: RegExp, message: string) =>
  z.string().regex(pattern, message).meta({ secret: true });

/** A setting that is an id of letters, digits, `_` and `-`: also one that YAML reads as a number. */
export const idText = (message: string) =>
  z.preprocess(
    (given) => (Number.isSafeInteger(given) ? String(given) : given),
    z.string().regex(/^[\w-]+$/, message),
  );

const isSecret = (field: z.core.$ZodType): boolean =>
  (field as z.ZodType).meta()?.['secret'] === true ||
  ((field instanceof z.ZodOptional ||
    field instanceof z.ZodNullable ||
    field instanceof z.ZodDefault) &&
    isSecret(field.unwrap()));

/** The settings whose values must not appear in words. */
export const secretKeys = (settings: z.ZodObject): string[] =>
  Object.entries(settings.shape as Record<string, z.ZodType>).flatMap(([key, field]) =>
    isSecret(field) ? [key] : [],
  );

/** Rejects the event that is being mapped, with these words, unless something holds. */
export const insist: (holds: boolean, otherwise: string) => asserts holds = (holds, otherwise) => {
  if (!holds) throw new Error(otherwise);
};

/** Checks a destination type against its own settings and events, and hands it to the engine. */
export const defineDestination = <Settings extends z.ZodObject, Item extends object>(
  definition: DestinationDefinition<Settings, Item>,
): DestinationType => definition as DestinationType;
