import type { FilterRule, RetryPolicy } from '../delivery.ts';
import type { Event, EventType } from '../event.ts';
import type { DestinationType } from './define.ts';

/** One resolved set of settings of a destination. */
export interface Connection {
  /** The destination's name, or `destination/source`. */
  name: string;
  settings: Record<string, unknown>;
  /** The event types it takes. */
  events: ReadonlySet<EventType>;
  /** Values that must not appear in words: logs, errors, receipts. */
  secrets: readonly string[];
}

/** A configured instance of a destination type. */
export interface Destination {
  name: string;
  type: DestinationType;
  /** What sources without a connection of their own use; absent where each must have its own. */
  shared?: Connection;
  /** Connections of single sources, by the source's name. */
  own: ReadonlyMap<string, Connection>;
  /** The sources it takes events from; absent: every one. */
  sources?: ReadonlySet<string>;
  /** Replaces scheme, host and port of every request. */
  endpoint?: string;
  retry: RetryPolicy;
  /** How long parked events are kept before their batch fails, in ms. */
  keepMs: number;
  /** Requests per second in one process; absent: as fast as the partner answers. */
  ratePerSecond?: number;
  /** Longest wait for one request's answer, in ms. */
  timeoutMs: number;
}

/** The connection that serves a source's events at a destination, if any does. */
export const connectionOf = (destination: Destination, source: string): Connection | undefined =>
  destination.sources !== undefined && !destination.sources.has(source)
    ? undefined
    : (destination.own.get(source) ?? destination.shared);

/** How long an attempt goes on sending, in ms, before it hands over what is left. */
const sendingMs = 30_000;
/** What an attempt keeps of its time to end orderly, in ms. */
export const endingMs = 5_000;

/** The longest that one attempt may take, in ms: sending, the last request, and an orderly end. */
export const attemptMs = ({ timeoutMs }: Destination): number => sendingMs + timeoutMs + endingMs;

/**
 * Whether an event's `integrations` object lets it go to a destination. Segment's rules, as its
 * own `@segment/facade` reads them: a destination's key wins over `All`, is case-sensitive, and
 * anything but `false` enables; `All` is found in any case and defaults to true. An instance is
 * found by its own name (`mixpanel-eu`) before its partner's (`Mixpanel`), and by that before the
 * partner's other names.
 */
export const allowedByIntegrations = (
  integrations: Event['integrations'],
  destination: Destination,
): boolean => {
  let all = true;
  for (const key in integrations) {
    if (key.length === 3 && key.toLowerCase() === 'all') all = integrations[key] !== false;
  }
  const { name, type } = destination;
  for (const key of [name, type.name, ...(type.otherNames ?? [])]) {
    if (Object.hasOwn(integrations, key)) return integrations[key] !== false;
  }
  return all;
};

/** The connection that an event of a source goes by at a destination, or why it goes by none. */
export const routeOrRule = (
  destination: Destination,
  event: Event,
  source: string,
): Connection | Exclude<FilterRule, 'mapper'> => {
  const connection = connectionOf(destination, source);
  if (connection === undefined) return 'source';
  if (!connection.events.has(event.type)) return 'type';
  return allowedByIntegrations(event.integrations, destination) ? connection : 'integrations';
};

/** The connection that an event of a source goes by at a destination; undefined: filtered. */
export const route = (
  destination: Destination,
  event: Event,
  source: string,
): Connection | undefined => {
  const found = routeOrRule(destination, event, source);
  return typeof found === 'string' ? undefined : found;
};
