import type { JsonObject } from '../event.ts';
import type { NewArrival } from './arrivals.ts';
import { createSeen, isObject, readJson, textsOf } from './partner.ts';
import type { PartnerCall, PartnerDeps, PlayedPartner } from './partner.ts';

// Written after https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference
// and …/ga4/sending-events, and independently of the destination type: a mistake there shall show
// here. The partner says 204 to all of it; what it would drop in silence is told on the page.
const mostBytes = 130_000;
const mostEvents = 25;
const mostParams = 25;
const mostUserProperties = 25;
const oldestMs = 72 * 3_600_000;
const longestOf: Record<string, number> = {
  page_location: 1_000,
  page_referrer: 420,
  page_title: 300,
};

const reservedEvents = new Set(
  `ad_activeview ad_click ad_exposure ad_query ad_reward adunit_exposure app_clear_data
  app_exception app_install app_remove app_store_refund app_update app_upgrade
  dynamic_link_app_open dynamic_link_app_update dynamic_link_first_open error firebase_campaign
  firebase_in_app_message_action firebase_in_app_message_dismiss
  firebase_in_app_message_impression first_open first_visit notification_dismiss
  notification_foreground notification_open notification_receive notification_send os_update
  session_start user_engagement ad_impression in_app_purchase screen_view`.split(/\s+/),
);
const isName = (name: string, longest: number): boolean =>
  name.length <= longest &&
  /^[A-Za-z][A-Za-z0-9_]*$/.test(name) &&
  !/^(_|firebase_|ga_|google_|gtag\.)/.test(name);

/** Why a value cannot be that of a param. */
const againstValue = (name: string, value: unknown): string | undefined => {
  if (value === null || typeof value === 'object') return 'is null, a list or an object';
  const longest = longestOf[name] ?? 100;
  return typeof value === 'string' && value.length > longest
    ? `has more than ${longest} characters`
    : undefined;
};

/** Why each of the params that GA4 leaves out is left out. */
const againstParams = (params: JsonObject): string[] =>
  Object.entries(params).flatMap(([name, value]) => {
    if (name === 'items' && Array.isArray(value)) return [];
    const isBad = !isName(name, 40) || name === 'firebase_conversion';
    const why = isBad ? 'is no name of a param' : againstValue(name, value);
    return why === undefined ? [] : [`${name} ${why}`];
  });

const againstPurchase = ({ transaction_id, currency, value, items }: JsonObject): string[] => [
  ...(typeof transaction_id === 'string' && transaction_id !== '' ? [] : ['no transaction_id']),
  ...(typeof value === 'number' ? [] : ['no value in numbers']),
  ...(typeof currency === 'string' && /^[A-Z]{3}$/.test(currency) ? [] : ['no currency']),
  ...(Array.isArray(items) ? items : []).flatMap((item: unknown) => {
    if (!isObject(item)) return ['an item is no object'];
    const isNamed = item['item_id'] !== undefined || item['item_name'] !== undefined;
    return isNamed ? againstParams(item) : ['an item without item_id and item_name'];
  }),
];

/** Why an event is dropped. */
const againstEvent = (event: unknown): string | undefined => {
  if (!isObject(event)) return 'the event is no object';
  const { name, params = {} } = event;
  if (typeof name !== 'string' || !isName(name, 40)) return 'no name that an event may have';
  if (reservedEvents.has(name)) return `the name ${name} is reserved`;
  if (!isObject(params)) return 'params are no object';
  const count = Object.keys(params).length;
  return count > mostParams ? `${count} params, of ${mostParams} at most` : undefined;
};

/** What is not as it was meant in an event that is taken. */
const remarks = (event: JsonObject, at: unknown, now: number): string[] => {
  const params = event['params'] as JsonObject | undefined;
  const ageMs = now - Number(at ?? now * 1_000) / 1_000;
  return [
    ...againstParams(params ?? {}),
    ...(event['name'] === 'purchase' ? againstPurchase(params ?? {}) : []),
    ...(params?.['engagement_time_msec'] === undefined ? ['no engagement_time_msec'] : []),
    ...(ageMs > oldestMs ? ['older than 72 h: its time is changed'] : []),
  ];
};

/** Why all of a request is dropped. */
const againstRequest = ({ query, body }: PartnerCall, content: unknown): string | undefined => {
  if (!/^G-\w+$/.test(query.get('measurement_id') ?? '')) return 'no measurement_id';
  if ((query.get('api_secret') ?? '') === '') return 'no api_secret';
  if (Buffer.byteLength(body) >= mostBytes) return `the body has ${mostBytes} bytes or more`;
  if (!isObject(content)) return 'the body is no JSON object';
  const { client_id, events, user_properties = {} } = content;
  if (typeof client_id !== 'string' || client_id === '') return 'no client_id';
  if (!Array.isArray(events) || events.length === 0) return 'no events';
  if (events.length > mostEvents) return `more than ${mostEvents} events`;
  const isTooMany =
    !isObject(user_properties) || Object.keys(user_properties).length > mostUserProperties;
  return isTooMany ? `more than ${mostUserProperties} user properties` : undefined;
};

/** Plays Google Analytics 4: `/mp/collect` of the Measurement Protocol; it knows purchases again. */
export const createGoogleAnalyticsPartner = ({ mostSeen, now }: PartnerDeps): PlayedPartner => {
  const isSeen = createSeen(mostSeen);
  return (call) => {
    const content = readJson(call.body);
    const { events, ...shared }: JsonObject = isObject(content) ? content : {};
    const dropsAll = againstRequest(call, content);
    const list: unknown[] = Array.isArray(events) && events.length > 0 ? events : [undefined];
    const arrivals = list.map((each): NewArrival => {
      const event: JsonObject = isObject(each) ? each : {};
      const params: JsonObject = isObject(event['params']) ? event['params'] : {};
      const { name = '', ...ids } = {
        ...textsOf(event, ['name']),
        ...textsOf(shared, ['client_id', 'user_id']),
        ...textsOf(params, ['transaction_id']),
      };
      const told = { kind: 'event', name, ids, content: { ...shared, ...event } };
      const dropped = dropsAll ?? againstEvent(each);
      if (dropped !== undefined) {
        return { ...told, verdict: 'rejected', reason: `answered 204, and dropped: ${dropped}` };
      }
      const order = name === 'purchase' ? ids['transaction_id'] : undefined;
      const verdict = order !== undefined && isSeen(order) ? 'duplicate' : 'accepted';
      const found = remarks(event, event['timestamp_micros'] ?? shared['timestamp_micros'], now());
      return { ...told, verdict, ...(found.length > 0 && { reason: found.join('; ') }) };
    });
    return { status: 204, arrivals };
  };
};
