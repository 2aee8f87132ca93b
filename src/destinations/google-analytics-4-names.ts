import { insist } from './define.ts';
import type { NameRule } from './event-names.ts';
import { placeTable, type Limits, type NamesByField } from './fields.ts';
import { amountIn } from './money.ts';

// GA4's words and limits, as data: a file of its own so that google-analytics-4.ts shows what is
// done with them. Where no other page is named they are from
// https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference and
// https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events.

export const notes = [
  'GA4 answers 204 whatever it thinks of an event, the secret or the id: what it would not take is',
  'rejected here, and a wrong secret or id shows nowhere but in empty reports.',
  'It does not know a repeated event again: one whose answer was lost may count twice (of orders,',
  'reports count each transaction_id once).',
  'Properties that are objects, arrays or null, that have a name GA4 does not take or that come',
  'after the 24th are left out, and so are products after the 200th; texts are cut at 100',
  'characters, those of a page later.',
  'The client is the anonymousId, or else the userId, as it stands; gtag.js writes its own as two',
  'numbers joined by a period. track and page alone are sent, without traits: Google forbids what',
  'identifies a person.',
].join(' ');

export const collect = 'https://www.google-analytics.com/mp/collect?';

/** "Reserved event names", and the three that only app streams may send. */
const reservedEvents = [
  'ad_activeview|ad_click|ad_exposure|ad_impression|ad_query|ad_reward|adunit_exposure',
  'app_clear_data|app_exception|app_install|app_remove|app_store_refund|app_update|app_upgrade',
  'dynamic_link_app_open|dynamic_link_app_update|dynamic_link_first_open|error',
  'first_open|first_visit|in_app_purchase|os_update|screen_view|session_start|user_engagement',
  'notification_dismiss|notification_foreground|notification_open|notification_receive',
  'notification_send',
].join('|');

/** The prefixes `_` and `gtag.` are reserved too; no name may begin or go on like that anyway. */
const reservedPrefixes = 'firebase_|ga_|google_';

export const events: NameRule = {
  taken: new RegExp(`^(?!${reservedPrefixes})(?!(${reservedEvents})$)[A-Za-z]\\w{0,39}$`),
  otherwise: 'is no name of an event for GA4: 1 to 40 letters, digits and _, none that is reserved',
};

/** @throws Error where GA4 would swallow an order */
export const insistOnOrder = (params: object): void =>
  insist(
    ['transaction_id', 'value', 'currency'].every((key) => key in params),
    'an order needs an order_id, a total or revenue in numbers, and a currency such as USD',
  );

/** Most products of an order: https://support.google.com/analytics/answer/9267744. */
export const mostItems = 200;

/** Params of an event: reports of activity ask for `engagement_time_msec`. `items` is no text. */
export const params: Limits = {
  always: { engagement_time_msec: 1 },
  most: 24, // 25, and one is kept for `items`
  name: new RegExp(`^(?!${reservedPrefixes}|items$)[A-Za-z]\\w{0,39}$`),
  longest: 100,
  longestOf: { page_location: 1_000, page_referrer: 420, page_title: 300 },
};

/** What a page says of itself, by GA4's names. */
export const pageFields: NamesByField = {
  referrer: 'page_referrer',
  title: 'page_title',
  url: 'page_location',
};

/**
 * What says that an order was made, Segment's name or GA4's own, and where the rest of what GA4 has
 * to know of one is then: ga4/reference/events#purchase.
 */
export const orders = new Map([
  [
    'Order_Completed',
    placeTable({
      transaction_id: ['order_id', 'transaction_id'],
      value: ['total', 'revenue', 'value'],
      currency: 'currency',
    }),
  ],
  [
    'purchase',
    placeTable({
      transaction_id: ['transaction_id', 'order_id'],
      value: ['value', 'total', 'revenue'],
      currency: 'currency',
    }),
  ],
]);

/** What else an order says goes with it, but nothing twice. */
export const purchaseParams: Limits = {
  ...params,
  name: new RegExp(`(?!(order_id|total)$)${params.name.source}`),
  written: {
    currency: (value) => /^[A-Z]{3}$/.exec(String(value).toUpperCase())?.[0],
    shipping: amountIn,
    tax: amountIn,
    transaction_id: String,
    value: amountIn,
  },
};

/** A product by GA4's names: ga4/reference/events#purchase_item. It takes few others; none is sent. */
export const itemFields = placeTable({
  item_id: ['item_id', 'product_id', 'sku'],
  item_name: ['item_name', 'name'],
  affiliation: 'affiliation',
  coupon: 'coupon',
  discount: 'discount',
  index: 'position',
  item_brand: 'brand',
  item_category: 'category',
  item_variant: 'variant',
  price: 'price',
  quantity: 'quantity',
});

export const itemParams: Limits = {
  most: params.most,
  name: params.name,
  longest: params.longest,
  written: {
    discount: amountIn,
    item_id: String,
    item_name: String,
    price: amountIn,
    quantity: amountIn,
  },
};
