import { z } from 'zod';
import type { JsonObject, PageEvent, TrackEvent } from '../event.ts';
import { defineDestination, insist, secret } from './define.ts';
import { allowed } from './event-names.ts';
import { pagesAreNoAnswer, post } from './exchange.ts';
import { listOf, objectOf, pick, rename, underscored, within } from './fields.ts';
import * as names from './google-analytics-4-names.ts';
import { known, personOf } from './ids.ts';

const itemOf = (product: unknown) => {
  const item = within(pick(product, names.itemFields), names.itemParams);
  insist('item_id' in item || 'item_name' in item, 'a product has no product_id, sku or name');
  return item;
};

const orderOf = (name: string, { products, items, ...order }: JsonObject) => {
  const own = pick(order, names.orders.get(name)!);
  const params = within({ ...own, ...order, ...own }, names.purchaseParams); // GA4's own come first
  names.insistOnOrder(params);
  return { ...params, items: listOf(names.mostItems, items, products).map(itemOf) };
};

/** The request's part and the event's. A device is the client, whoever uses it. */
const sent = (event: TrackEvent | PageEvent, name: string, params: JsonObject) => {
  const { anonymousId, userId, timestamp, receivedAt } = event;
  const user = { client_id: known(anonymousId) ?? personOf(event), user_id: known(userId) };
  const timestamp_micros = Math.min(Date.parse(timestamp), Date.parse(receivedAt)) * 1_000;
  return { user, event: { name: allowed(name, names.events), timestamp_micros, params } };
};

export const googleAnalytics4 = defineDestination({
  type: 'google-analytics-4',
  name: 'Google Analytics 4',
  otherNames: ['Actions Google Analytic 4'],
  docs: 'https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference',
  notes: names.notes,
  settings: z.strictObject({
    measurementId: z.string().regex(/^G-\w+$/, 'must be the id of a web stream, G-…'),
    apiSecret: secret(/^\S+$/, 'must be an API secret of the Measurement Protocol'),
  }),
  events: {
    track: (event) => {
      const name = underscored(event.event);
      if (names.orders.has(name)) return sent(event, 'purchase', orderOf(name, event.properties));
      return sent(event, name, within(event.properties, names.params));
    },
    page: (event) => {
      const page = { ...objectOf(event.context['page']), ...event.properties };
      return sent(event, 'page_view', within(rename(page, names.pageFields), names.params));
    },
  },
  maxAgeMs: 72 * 3_600_000,
  batch: { max: 25, maxBytes: 129_999, groupBy: ({ user }) => JSON.stringify(user) },
  request: (items, { measurementId, apiSecret }) => {
    const query = `measurement_id=${measurementId}&api_secret=${encodeURIComponent(apiSecret)}`;
    const events = items.map(({ event }) => event);
    return post(names.collect + query, { ...items[0]!.user, events });
  },
  classify: pagesAreNoAnswer,
});
