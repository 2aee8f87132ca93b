import { z } from 'zod';
import type { Event, JsonObject } from '../event.ts';
import { defineDestination, secret } from './define.ts';
import { allowed, viewOf } from './event-names.ts';
import { basicAuth, failuresByIndex, post } from './exchange.ts';
import { pick, rename } from './fields.ts';
import { known, named, personOf, plainId } from './ids.ts';
import * as names from './mixpanel-names.ts';

/** A record, and the path that it is sent to in an array. */
const item = (path: string, record: JsonObject) => ({ path, record });

/** What identifies wins over the event's own properties, and these over its surroundings. */
const imported = (event: Event, name: string, given: JsonObject, who?: JsonObject) => {
  const { anonymousId, context, messageId, timestamp, userId } = event;
  const merged = { $device_id: known(anonymousId), $user_id: known(userId) }; // and for ever
  const ids = who ?? { distinct_id: personOf(event), ...merged };
  const key = { time: Date.parse(timestamp), $insert_id: plainId(messageId, 36) };
  const about: JsonObject = { ip: 0, ...pick(context, names.contextNames) }; // 0: the sender is not the person
  const properties = Object.assign(about, given, ids, key); // a spread takes 40 times as long
  return item('import?strict=1', { event: name, properties });
};

const profile = (kind: 'engage' | 'groups', ids: JsonObject, traits: JsonObject) =>
  item(`${kind}?strict=1&verbose=1&ip=0`, { ...ids, $set: rename(traits, names.profileNames) });

export const mixpanel = defineDestination({
  type: 'mixpanel',
  name: 'Mixpanel',
  docs: 'https://docs.mixpanel.com/reference/import-events',
  notes: names.notes,
  settings: z.strictObject({
    projectToken: secret(/^[^\s:]+$/, 'must be the token of a project'),
    region: z.enum(['us', 'eu', 'in']).default('us'),
  }),
  events: {
    track: (event) => imported(event, allowed(event.event, names.eventNames), event.properties),
    page: (event) => imported(event, ...viewOf(event)),
    screen: (event) => imported(event, ...viewOf(event)),
    identify: (event, { projectToken: $token }) => {
      const $distinct_id = `${known(event.userId) ? '' : '$device:'}${personOf(event)}`;
      return profile('engage', { $token, $distinct_id, $ip: event.context['ip'] }, event.traits);
    },
    group: ({ groupId: $group_id, traits }, { projectToken: $token }) =>
      profile('groups', { $token, $group_key: '$group_id', $group_id }, traits),
    // Without effect where a project merges identities the simplified way.
    alias: (event, { projectToken: token }) => {
      const who = { token, distinct_id: named(event.previousId), alias: named(event.userId) };
      return event.previousId === event.userId ? null : imported(event, '$create_alias', {}, who);
    },
  },
  // The reference says 2 MB in one place and 10 MB in another.
  batch: { max: 2_000, maxBytes: 2_000_000, groupBy: ({ path }) => path },
  request: (items, { projectToken, region }) => {
    const records = items.map(({ record }) => record);
    return post(`${names.origins[region]}/${items[0]!.path}`, records, basicAuth(projectToken));
  },
  classify: failuresByIndex(names.FailedRecords, names.Refusal),
  retry: { firstDelayMs: 2_000, maxDelayMs: 60_000 }, // reference/import-events, "Rate Limit".
});
