import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Event, JsonObject, PageEvent, ScreenEvent } from '../event.ts';
import { defineDestination, delivered, jsonOf, rejected } from './define.ts';

/** One element of a request's array, and the path it is sent to. */
interface Item {
  path: 'import' | 'engage' | 'groups';
  record: JsonObject;
}

/** Neither a distinct_id nor an $insert_id: reference/import-events, "High-level requirements". */
const banned = new Set(
  ['00000000-0000-0000-0000-000000000000', '<nil>', '[]', '{}', '0', '-1', 'true', 'false'].concat([
    'anon',
    'anonymous',
    'nil',
    'none',
    'null',
    'n/a',
    'na',
    'undefined',
    'unknown',
  ]),
);

const named = (id: string | undefined): string => {
  if (id === undefined || banned.has(id)) throw new Error(`the id "${id ?? ''}" names nobody`);
  return id;
};

/** At most 36 letters, digits and "-": the uuid at the end of an SDK's id, or else a hash. */
const insertId = (messageId: string): string => {
  const id = messageId.replace(/^(ajs|node)-next-\d+-/, '');
  return /^[A-Za-z0-9-]{1,36}$/.test(id) && !banned.has(id)
    ? id
    : createHash('sha256').update(messageId).digest('hex').slice(0, 36);
};

/** Segment's context by Mixpanel's names: docs/data-structure/property-reference. */
const surroundings = (context: JsonObject): JsonObject => {
  const { app, campaign, device, os, page } = context as Partial<Record<string, JsonObject>>;
  return {
    ip: context['ip'] ?? 0, // 0: the sender's place is not the person's
    $app_version_string: app?.['version'],
    $current_url: page?.['url'],
    $group_id: context['groupId'],
    $model: device?.['model'],
    $os: os?.['name'],
    $os_version: os?.['version'],
    $referrer: page?.['referrer'],
    utm_campaign: campaign?.['name'],
    utm_content: campaign?.['content'],
    utm_medium: campaign?.['medium'],
    utm_source: campaign?.['source'],
    utm_term: campaign?.['term'],
  };
};

/** What identifies wins over the event's own properties, and these over its surroundings. */
const imported = (event: Event, name: string, properties: JsonObject, who?: JsonObject): Item => {
  const { anonymousId, context, messageId, timestamp, userId } = event;
  // Where a project merges identities the simplified way, $user_id or $device_id sets distinct_id.
  const ids = who ?? {
    distinct_id: named(userId ?? anonymousId),
    $device_id: anonymousId,
    $user_id: userId,
  };
  const key = { time: Date.parse(timestamp), $insert_id: insertId(messageId) };
  return {
    path: 'import',
    record: {
      event: name,
      properties: { ...surroundings(context), ...properties, ...ids, ...key },
    },
  };
};

const viewed = (event: PageEvent | ScreenEvent): Item => {
  const { name, category, properties, type } = event;
  const what = [name, category, type].find((text) => text)!;
  return imported(event, `Viewed ${what}`, { name, category, ...properties });
};

const reserved = new Map([
  ['avatar', '$avatar'],
  ['created', '$created'],
  ['createdAt', '$created'],
  ['email', '$email'],
  ['firstName', '$first_name'],
  ['lastName', '$last_name'],
  ['name', '$name'],
  ['phone', '$phone'],
]);
const profile = (traits: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(traits).map(([trait, value]) => [reserved.get(trait) ?? trait, value]),
  );

const FailedRecord = z.object({
  index: z.int(),
  field: z.string().default('the record'),
  message: z.string(),
});
const PartialFailure = z.object({ failed_records: z.array(FailedRecord).min(1) });
/** How 200 says no: 0, or with verbose=1 in words. */
const Refusal = z.union([
  z.literal(0),
  z.object({ status: z.literal(0) }),
  z.object({ error: z.string().min(1) }),
  z.object({ failed_records: z.array(z.unknown()).min(1) }),
]);

export const mixpanel = defineDestination({
  type: 'mixpanel',
  name: 'Mixpanel',
  docs: 'https://docs.mixpanel.com/reference/import-events',
  settings: z.strictObject({
    projectToken: z
      .string()
      .regex(/^[^\s:]+$/, 'must be the token of a project')
      .meta({ secret: true }),
    region: z.enum(['us', 'eu', 'in']).default('us'),
  }),
  events: {
    track: (event) => {
      // A write key is public, and a merge is for ever.
      if (/^\$(merge|identify|create_alias)$/.test(event.event)) {
        throw new Error(`${event.event} changes identities: call identify or alias instead`);
      }
      return imported(event, event.event, event.properties);
    },
    page: viewed,
    screen: viewed,
    identify: ({ anonymousId, context, traits, userId }, { projectToken }): Item => {
      const id = named(userId ?? anonymousId);
      const $distinct_id = userId === undefined ? `$device:${id}` : id;
      const $set = profile(traits);
      return {
        path: 'engage',
        record: { $token: projectToken, $distinct_id, $ip: context['ip'], $set },
      };
    },
    group: ({ groupId, traits }, { projectToken }): Item => {
      const group = { $group_key: '$group_id', $group_id: groupId };
      return { path: 'groups', record: { $token: projectToken, ...group, $set: profile(traits) } };
    },
    // Without effect where a project merges identities the simplified way.
    alias: (event, { projectToken }) => {
      const { previousId, userId } = event;
      const who = { token: projectToken, distinct_id: named(previousId), alias: named(userId) };
      return previousId === userId ? null : imported(event, '$create_alias', {}, who);
    },
  },
  // The reference says 2 MB in one place and 10 MB in another.
  batch: { max: 2_000, maxBytes: 2_000_000, groupBy: ({ path }) => path },
  request: (items, { projectToken, region }) => {
    const host = `api${region === 'us' ? '' : `-${region}`}.mixpanel.com`;
    const { path } = items[0]!;
    return {
      method: 'POST',
      url: `https://${host}/${path}?strict=1${path === 'import' ? '' : '&verbose=1&ip=0'}`,
      headers: {
        authorization: `Basic ${Buffer.from(`${projectToken}:`).toString('base64')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(items.map(({ record }) => record)),
    };
  },
  // With strict=1 the valid records are taken whatever the others are.
  classify: (response, items) => {
    const { status, body } = response;
    if (status !== 200 && status !== 400) return undefined;
    const answer = jsonOf(response);
    const failed = PartialFailure.safeParse(answer).data?.failed_records;
    if (failed?.every(({ index }) => index in items)) {
      const reasons = new Map(failed.map((each) => [each.index, `${each.field}: ${each.message}`]));
      return items.map((_, at) => (reasons.has(at) ? rejected(reasons.get(at)!) : delivered));
    }
    return Refusal.safeParse(answer).success ? rejected(`${status} ${body}`) : undefined;
  },
  // reference/import-events, "Rate Limit".
  retry: { firstDelayMs: 2_000, maxDelayMs: 60_000 },
});
