import type { JsonObject } from '../event.ts';
import type { NewArrival } from './arrivals.ts';
import {
  createSeen,
  isObject,
  readJson,
  textsOf,
  type PartnerAnswer,
  type PartnerCall,
  type PartnerDeps,
  type PlayedPartner,
} from './partner.ts';

// Written after https://docs.mixpanel.com/reference/import-events and
// https://github.com/mixpanel/docs/blob/main/openapi/ingestion.openapi.yaml, and independently of
// the destination type: a mistake there shall show here.
const mostRecords = 2_000;
const mostBytes = 2_097_152;
const mostProperties = 255;
const notBefore = Date.UTC(1971, 0, 1);
const hourMs = 3_600_000;
const banned =
  /^(0{8}-(0{4}-){3}0{12}|anon|anonymous|nil|none|null|n\/a|na|undefined|unknown|<nil>|0|-1|true|false|\[\]|\{\})$/;

interface Objection {
  field: string;
  message: string;
}

/** Seconds or ms since the epoch, told apart by size, in ms. */
const timeMs = (time: unknown): number =>
  typeof time === 'number' ? (time < 1e11 ? time * 1_000 : time) : NaN;

const againstEvent = (record: unknown, now: number): Objection | undefined => {
  const object = (field: string, message: string): Objection => ({ field, message });
  if (!isObject(record)) return object('', 'the record is no object');
  const { event, properties } = record;
  if (typeof event !== 'string' || event === '') return object('event', 'must be a text');
  if (!isObject(properties)) return object('properties', 'must be an object');
  if (Object.keys(properties).length >= mostProperties) {
    return object('properties', `must be fewer than ${mostProperties}`);
  }
  const { time, distinct_id: person, $insert_id: insertId } = properties;
  const at = timeMs(time);
  if (!(at >= notBefore && at <= now + hourMs)) {
    return object('properties.time', 'must be between 1971-01-01 and in an hour, in s or ms');
  }
  if (typeof person !== 'string' || banned.test(person)) {
    return object('properties.distinct_id', 'must be a text, and not a placeholder');
  }
  return typeof insertId !== 'string' ||
    !/^[A-Za-z0-9-]{1,36}$/.test(insertId) ||
    banned.test(insertId)
    ? object('properties.$insert_id', 'must be 1 to 36 letters, digits and "-"')
    : undefined;
};

const operation = /^\$(set|set_once|add|append|union|remove|unset|delete)$/;

const againstProfile = (record: unknown, keys: readonly string[]): Objection | undefined => {
  if (!isObject(record)) return { field: '', message: 'the record is no object' };
  const missing = ['$token', ...keys].find(
    (key) => typeof record[key] !== 'string' || record[key] === '',
  );
  if (missing !== undefined) return { field: missing, message: 'missing or empty' };
  return Object.keys(record).some((key) => operation.test(key))
    ? undefined
    : { field: '', message: 'no operation such as $set' };
};

const refuse = (status: number, error: string, words: string): PartnerAnswer => ({
  status,
  body: { code: status, error, status: words },
  arrivals: [{ kind: '', name: '', ids: {}, verdict: 'rejected', reason: error, content: null }],
});

/** A record as it may be looked at: somebody may send a real project's token here. */
const shown = (record: unknown): unknown => {
  if (!isObject(record)) return record;
  const { properties } = record;
  if ('$token' in record) return { ...record, $token: '…' };
  return isObject(properties) && 'token' in properties
    ? { ...record, properties: { ...properties, token: '…' } }
    : record;
};

const describe = (path: string, record: unknown): Omit<NewArrival, 'verdict'> => {
  const content = shown(record);
  const { event, properties, ...profile }: JsonObject = isObject(record) ? record : {};
  if (path === '/import') {
    const ids = textsOf(isObject(properties) ? properties : {}, ['distinct_id', '$insert_id']);
    return { kind: 'event', name: typeof event === 'string' ? event : '', ids, content };
  }
  const ids = textsOf(profile, ['$distinct_id', '$group_key', '$group_id']);
  const kind = path === '/engage' ? 'profile' : 'group profile';
  return { kind, name: ids['$distinct_id'] ?? ids['$group_id'] ?? '', ids, content };
};

/** Plays Mixpanel: `/import` in strict mode, `/engage` and `/groups`. */
export const createMixpanelPartner = ({ mostSeen, now }: PartnerDeps): PlayedPartner => {
  const isSeen = createSeen(mostSeen);
  const isRepeated = (record: JsonObject): boolean => {
    const { time, distinct_id, $insert_id } = record['properties'] as JsonObject;
    return isSeen(JSON.stringify([record['event'], time, distinct_id, $insert_id]));
  };

  const judge = (path: string, record: unknown): Objection | undefined =>
    path === '/import'
      ? againstEvent(record, now())
      : againstProfile(record, path === '/engage' ? ['$distinct_id'] : ['$group_key', '$group_id']);

  return ({ path, query, headers, body }: PartnerCall) => {
    const user = Buffer.from(headers.authorization?.replace(/^Basic /, '') ?? '', 'base64');
    if (path === '/import' && !/^[^:]+:/.test(user.toString())) {
      return refuse(401, 'Invalid credentials', 'Unauthorized');
    }
    if (Buffer.byteLength(body) > mostBytes) {
      const error = `request exceeds max limit of ${mostBytes} bytes`;
      return refuse(413, error, 'Request Entity Too Large');
    }
    const records = readJson(body);
    if (!Array.isArray(records) || records.length === 0 || records.length > mostRecords) {
      return refuse(400, `the body is no list of 1 to ${mostRecords} records`, 'Bad Request');
    }
    const objections = records.map((record) => judge(path, record));
    const arrivals = records.map((record: unknown, at): NewArrival => {
      const told = describe(path, record);
      const objection = objections[at];
      if (objection !== undefined) {
        const reason = `${objection.field}: ${objection.message}`.replace(/^: /, '');
        return { ...told, verdict: 'rejected', reason };
      }
      const isDuplicate = path === '/import' && isRepeated(record as JsonObject);
      return { ...told, verdict: isDuplicate ? 'duplicate' : 'accepted' };
    });
    const failed = objections.flatMap((objection, index) =>
      objection === undefined ? [] : [{ index, ...objection }],
    );
    const good = records.length - failed.length;
    if (path === '/import') {
      const error = 'some data points in the request failed validation';
      const answer =
        failed.length === 0
          ? { code: 200, num_records_imported: good, status: 'OK' }
          : {
              code: 400,
              error,
              failed_records: failed,
              num_records_imported: good,
              status: 'Bad Request',
            };
      return { status: answer.code, body: answer, arrivals };
    }
    const [first] = failed;
    const error = first === undefined ? null : `${first.field}, ${first.message}`;
    const said = good > 0 ? 1 : 0;
    // The shape of strict=1 is documented for /import alone; this is our guess at it.
    const strict = query.get('strict') === '1' && first !== undefined;
    const verbose = { status: said, error, ...(strict && { failed_records: failed }) };
    return { status: 200, body: query.get('verbose') === null ? said : verbose, arrivals };
  };
};
