import type { JsonObject } from '../event.ts';
import type { NewArrival } from './arrivals.ts';
import {
  createSeen,
  isObject,
  readJson,
  textsOf,
  type PartnerDeps,
  type PlayedPartner,
} from './partner.ts';

// Written after the Event API's specification 1.3.0,
// https://docs.developers.optimizely.com/experimentation-data/reference/post_events, and
// independently of the destination type: a mistake there shall show here.
const mostBytes = 3_500_000;

type Kind = 'text' | 'number' | 'integer' | 'truth' | 'list' | 'object' | 'scalar';

const kinds: Record<Kind, (value: unknown) => boolean> = {
  text: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  truth: (value) => typeof value === 'boolean',
  list: Array.isArray,
  object: isObject,
  scalar: (value) => ['string', 'number', 'boolean'].includes(typeof value),
};

/** What an object may hold; `!`: what it has to. */
type Shape = Record<string, Kind | `${Kind}!`>;

const batchShape: Shape = {
  account_id: 'text!',
  visitors: 'list!',
  project_id: 'text',
  anonymize_ip: 'truth',
  client_name: 'text',
  client_version: 'text',
  enrich_decisions: 'truth',
};
const visitorShape: Shape = {
  visitor_id: 'text!',
  snapshots: 'list!',
  session_id: 'text',
  attributes: 'list',
};
const attributeShape: Shape = { type: 'text!', value: 'scalar!', key: 'text', entity_id: 'text' };
const snapshotShape: Shape = { events: 'list!', decisions: 'list' };
const decisionShape: Shape = {
  campaign_id: 'text!',
  experiment_id: 'text!',
  variation_id: 'text!',
};
const eventShape: Shape = {
  timestamp: 'integer!',
  uuid: 'text!',
  key: 'text',
  type: 'text',
  entity_id: 'text',
  value: 'number',
  quantity: 'integer',
  revenue: 'integer',
  tags: 'object',
  properties: 'object',
};

/** The first thing in a value that does not fit a shape, with its path. */
const misfit = (value: unknown, shape: Shape, path: string): string | undefined => {
  if (!isObject(value)) return `${path}: must be an object`;
  for (const [key, given] of Object.entries(shape)) {
    const kind = given.replace('!', '') as Kind;
    if (value[key] === undefined) {
      if (given.endsWith('!')) return `${path}.${key}: is required`;
    } else if (!kinds[kind](value[key])) return `${path}.${key}: must be ${kind}`;
  }
  return undefined;
};

const firstOf = (
  list: unknown,
  path: string,
  judge: (value: unknown, path: string) => string | undefined,
): string | undefined => {
  for (const [at, value] of (Array.isArray(list) ? list : []).entries()) {
    const found = judge(value, `${path}[${at}]`);
    if (found !== undefined) return found;
  }
  return undefined;
};

const againstEvent = (event: unknown, path: string): string | undefined => {
  const found = misfit(event, eventShape, path);
  if (found !== undefined) return found;
  const { tags = {}, properties = {} } = event as { tags?: JsonObject; properties?: JsonObject };
  const tag = Object.entries(tags).find(([, value]) => !kinds.scalar(value));
  if (tag !== undefined) return `${path}.tags.${tag[0]}: must be scalar`;
  const property = Object.entries(properties).find(([, value]) => typeof value !== 'string');
  return property && `${path}.properties.${property[0]}: must be text`;
};

const againstSnapshot = (snapshot: unknown, path: string): string | undefined =>
  misfit(snapshot, snapshotShape, path) ??
  firstOf((snapshot as JsonObject)['decisions'], `${path}.decisions`, (decision, at) =>
    misfit(decision, decisionShape, at),
  ) ??
  firstOf((snapshot as JsonObject)['events'], `${path}.events`, againstEvent);

const againstVisitor = (visitor: unknown, path: string): string | undefined =>
  misfit(visitor, visitorShape, path) ??
  firstOf((visitor as JsonObject)['attributes'], `${path}.attributes`, (attribute, at) =>
    misfit(attribute, attributeShape, at),
  ) ??
  firstOf((visitor as JsonObject)['snapshots'], `${path}.snapshots`, againstSnapshot);

const objects = (value: unknown): JsonObject[] =>
  (Array.isArray(value) ? value : []).filter(isObject);

/** A visitor's events, as they are shown. */
const told = (visitor: JsonObject): Omit<NewArrival, 'verdict'>[] => {
  const { snapshots, ...shared } = visitor;
  return objects(snapshots)
    .flatMap(({ events }) => objects(events))
    .map((event) => ({
      kind: textsOf(event, ['type'])['type'] ?? 'conversion',
      name: textsOf(event, ['key'])['key'] ?? '',
      ids: { ...textsOf(visitor, ['visitor_id']), ...textsOf(event, ['entity_id', 'uuid']) },
      content: { ...shared, ...event },
    }));
};

/**
 * Plays Optimizely: `/v1/events` of the Event API. With `X-Optimizely-Strict: true` a request with
 * a fault is refused as a whole, without it what is faulty is dropped in silence.
 */
export const createOptimizelyPartner = ({
  mostSeen,
}: Pick<PartnerDeps, 'mostSeen'>): PlayedPartner => {
  const isSeen = createSeen(mostSeen);
  return ({ headers, body }) => {
    const isStrict = headers['x-optimizely-strict'] === 'true';
    const content = readJson(body);
    const tooLarge = `the body has more than ${mostBytes} bytes`;
    const against =
      Buffer.byteLength(body) > mostBytes ? tooLarge : misfit(content, batchShape, 'batch');
    const visitors = isObject(content) ? objects(content['visitors']) : [];
    const faults = visitors.map((visitor, at) => againstVisitor(visitor, `visitors[${at}]`));
    const fault = against ?? faults.find((found) => found !== undefined);
    const arrivals = visitors.flatMap((visitor, at) => {
      const own = against ?? faults[at];
      return told(visitor).map((event): NewArrival => {
        if (own !== undefined) {
          const words = isStrict ? own : `answered 204, and dropped: ${own}`;
          return { ...event, verdict: 'rejected', reason: words };
        }
        if (isStrict && fault !== undefined) {
          return { ...event, verdict: 'rejected', reason: 'refused for another of its request' };
        }
        return { ...event, verdict: isSeen(event.ids['uuid']!) ? 'duplicate' : 'accepted' };
      });
    });
    const nothing = { kind: '', name: '', ids: {}, content, verdict: 'rejected' as const };
    const shown =
      arrivals.length > 0 ? arrivals : [{ ...nothing, reason: fault ?? 'there are no events' }];
    // What a 400 says is not documented; this is our guess at it.
    return isStrict && fault !== undefined
      ? { status: 400, body: { message: fault }, arrivals: shown }
      : { status: 204, arrivals: shown };
  };
};
