// Seconds, fraction and zone may be missing. Without a zone the time is UTC: Date.parse alone would
// take the zone of this machine.
const iso =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s?(Z|[+-]\d\d:?\d\d)?)?$/i;

const earliest = Date.parse('0001-01-01T00:00:00Z');
const latest = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * An ISO-8601 time in ms since the epoch; undefined where the value is none. Fractions of any
 * length are taken (Go sends nine digits) and cut at the millisecond.
 */
export const parseTime = (value: unknown): number | undefined => {
  if (typeof value !== 'string') return undefined;
  const match = iso.exec(value);
  if (match === null) return undefined;
  const [, date, clock = '00:00', fraction, zone = 'Z'] = match;
  const seconds = clock.length === 5 ? ':00' : '';
  const ms = fraction === undefined ? '' : `.${fraction.slice(0, 3)}`;
  const time = Date.parse(`${date!}T${clock}${seconds}${ms}${zone.toUpperCase()}`);
  return Number.isNaN(time) ? undefined : time;
};

/** The times that a client gave an event, as they were posted. */
export interface PostedTimes {
  timestamp?: unknown;
  originalTimestamp?: unknown;
  sentAt?: unknown;
}

/** An accepted event's times, ISO-8601 in UTC. */
export interface EventTimes {
  timestamp: string;
  originalTimestamp: string;
  sentAt: string | undefined;
}

/**
 * Corrects the skew of the client's clock, as Segment does:
 * `timestamp = receivedAt − (sentAt − originalTimestamp)`. A client's `timestamp` is our
 * `originalTimestamp`; rudder-sdk-node posts the latter itself. Without a time that can be read the
 * event happened when it was received; without a `sentAt` the client's clock is believed.
 * @param receivedAt ms since the epoch
 * @param sentAt the request's; an event's own comes first
 */
export const correctTimes = (
  posted: PostedTimes,
  receivedAt: number,
  sentAt: unknown,
): EventTimes => {
  const sent = parseTime(posted.sentAt) ?? parseTime(sentAt);
  const original = parseTime(posted.timestamp) ?? parseTime(posted.originalTimestamp);
  const corrected =
    original === undefined ? receivedAt : original + (sent === undefined ? 0 : receivedAt - sent);
  const told = corrected >= earliest && corrected <= latest ? corrected : receivedAt;
  return {
    timestamp: new Date(told).toISOString(),
    originalTimestamp: new Date(original ?? receivedAt).toISOString(),
    sentAt: sent === undefined ? undefined : new Date(sent).toISOString(),
  };
};
