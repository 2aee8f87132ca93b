import type { PartnerResponse } from '../../src/destinations/define.ts';
import type { JsonObject } from '../../src/event.ts';
import { pageEvent, trackEvent, without } from '../support/events.ts';
import type { DestinationFixture, Provenance } from './fixture.ts';

const documented = (reference: string): Provenance => ({
  from: 'documented',
  reference,
  date: '2026-11-22',
});
const reference = documented(
  'Measurement Protocol reference, https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference',
);
const sending = documented(
  'Send Measurement Protocol events, https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events',
);
const purchase = documented(
  'Measurement Protocol events: purchase, https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference/events#purchase',
);

const settings = { measurementId: 'G-7RQ1DC0LXN', apiSecret: 'qL3vXw_9T2+K/a&b' };

const collect = (body: JsonObject) => ({
  method: 'POST' as const,
  url: 'https://www.google-analytics.com/mp/collect?measurement_id=G-7RQ1DC0LXN&api_secret=qL3vXw_9T2%2BK%2Fa%26b',
  headers: { 'content-type': 'application/json' },
  body,
});

/** What the shared parts of the built events come to. */
const jane = { client_id: '0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60', user_id: 'jane-17' };
const timestamp_micros = 1_772_618_370_250_000;

/** An event as it is sent, with what every one of them has. */
const sent = (name: string, params: JsonObject = {}, at = timestamp_micros): JsonObject => ({
  name,
  timestamp_micros: at,
  params: { engagement_time_msec: 1, ...params },
});
const ofJane = (...events: JsonObject[]) => collect({ ...jane, events });

const answer = (status: number, body = '', headers = {}): PartnerResponse => ({
  status,
  headers,
  body,
});
const delivered = { kind: 'delivered' } as const;
const order = (properties: JsonObject) =>
  trackEvent({
    event: 'Order Completed',
    properties: { order_id: 'o-17', total: 27.5, currency: 'USD', ...properties },
  });

const noName = (name: string): string =>
  `${name} is no name of an event for GA4: 1 to 40 letters, digits and _, none that is reserved`;
const noOrder =
  'an order needs an order_id, a total or revenue in numbers, and a currency such as USD';

export const fixture: DestinationFixture = {
  settings,
  secrets: ['apiSecret'],
  attempt: { time: 1_772_618_520_900 },
  limits: { provenance: sending, items: 25, bytes: 130_000 - 1 }, // "smaller than 130kB"
  requests: [
    {
      title: 'the events of one person share a request, each with its own time',
      provenance: sending,
      events: [trackEvent(), pageEvent({ timestamp: '2026-03-04T09:59:31.250Z' })],
      request: ofJane(
        sent('Article_Added', { sku: 'G-32', price: 18.99 }),
        sent(
          'page_view',
          {
            page_location: 'https://shop.example/offers?p=2',
            page_referrer: 'https://search.example/',
            path: '/offers',
          },
          timestamp_micros + 1_000_000,
        ),
      ),
    },
    {
      title: 'an unknown visitor is a client alone',
      provenance: reference,
      events: [without(trackEvent({ properties: {} }), 'userId')],
      request: collect({
        client_id: jane.client_id,
        events: [sent('Article_Added')],
      }),
    },
    {
      title: 'a server knows no device: the user is the client',
      provenance: reference,
      events: [without(trackEvent({ properties: {} }), 'anonymousId')],
      request: collect({
        client_id: 'jane-17',
        user_id: 'jane-17',
        events: [sent('Article_Added')],
      }),
    },
    {
      title: 'an id that names nobody is none',
      provenance: reference,
      events: [trackEvent({ properties: {}, userId: '0' })],
      request: collect({
        client_id: jane.client_id,
        events: [sent('Article_Added')],
      }),
    },
    {
      title: 'nothing has happened after it was received',
      provenance: sending,
      events: [trackEvent({ properties: {}, timestamp: '2026-03-04T10:30:00.000Z' })],
      request: ofJane(sent('Article_Added', {}, 1_772_618_372_000_000)),
    },
    {
      title: 'an order is a purchase, in decimal units',
      provenance: purchase,
      events: [
        order({
          order_id: 17,
          total: '$27.50',
          revenue: 25,
          currency: 'eur',
          tax: '2',
          shipping: 0.5,
          coupon: 'SPRING',
          checkout_id: 'c-3',
          items: 2,
          products: [
            {
              product_id: 4_711,
              sku: 'G-32',
              name: 'Backpack',
              brand: 'Alp',
              category: 'Bags',
              variant: 'blue',
              price: '10.00',
              quantity: 2,
              position: 1,
              image_url: 'https://shop.example/g-32.png',
            },
            { sku: 'G-33', price: null, quantity: 1, sizes: ['S'] },
          ],
        }),
      ],
      request: ofJane(
        sent('purchase', {
          transaction_id: '17',
          value: 27.5,
          currency: 'EUR',
          revenue: 25,
          tax: 2,
          shipping: 0.5,
          coupon: 'SPRING',
          checkout_id: 'c-3',
          items: [
            {
              item_id: '4711',
              item_name: 'Backpack',
              item_brand: 'Alp',
              item_category: 'Bags',
              item_variant: 'blue',
              price: 10,
              quantity: 2,
              index: 1,
            },
            { item_id: 'G-33', quantity: 1 },
          ],
        }),
      ),
    },
    {
      title: 'an order of many properties keeps what makes it one, and 25 params',
      provenance: purchase,
      events: [
        order({
          ...Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`p${at}`, at])),
          order_id: 'o-18',
          total: undefined,
          revenue: 25,
        }),
      ],
      request: ofJane(
        sent('purchase', {
          transaction_id: 'o-18',
          value: 25,
          currency: 'USD',
          ...Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`p${at}`, at])),
          items: [],
        }),
      ),
    },
    {
      title: "a purchase in GA4's own words, whose decorations are not all numbers",
      provenance: purchase,
      events: [
        trackEvent({
          event: 'purchase',
          properties: {
            transaction_id: 'o-19',
            value: '12.5',
            revenue: 8,
            currency: 'USD',
            shipping: 'free',
            tax: [1],
            items: [{ item_id: 'G-32', item_name: 'Backpack', price: 'on request', quantity: '2' }],
          },
        }),
      ],
      request: ofJane(
        sent('purchase', {
          transaction_id: 'o-19',
          value: 12.5,
          currency: 'USD',
          revenue: 8,
          items: [{ item_id: 'G-32', item_name: 'Backpack', quantity: 2 }],
        }),
      ),
    },
    {
      title: 'an order has 200 products at most',
      provenance: documented(
        'Event collection limits, https://support.google.com/analytics/answer/9267744',
      ),
      events: [order({ products: Array.from({ length: 201 }, (_, at) => ({ sku: `s-${at}` })) })],
      request: ofJane(
        sent('purchase', {
          transaction_id: 'o-17',
          value: 27.5,
          currency: 'USD',
          items: Array.from({ length: 200 }, (_, at) => ({ item_id: `s-${at}` })),
        }),
      ),
    },
    {
      title: 'what a param cannot be is left out, long texts are cut',
      provenance: sending,
      events: [
        trackEvent({
          event: ' Plan  Changed ',
          properties: {
            constructor: 'a property like any other',
            nothing: null,
            empty: '',
            list: [1, 2],
            nested: { a: 1 },
            items: 3,
            infinite: Infinity,
            _hidden: 1,
            ga_id: 1,
            google_x: 1,
            firebase_x: 1,
            firebase_conversion: 1,
            'gtag.x': 1,
            '2nd': 1,
            süss: 1,
            ['n'.repeat(41)]: 1,
            ['n'.repeat(40)]: 1,
            'new plan': 'plus',
            new_plan: 'the first of one name counts',
            isTrial: false,
            note: 'x'.repeat(101),
            torn: `${'x'.repeat(99)}😀`,
            page_title: 't'.repeat(301),
            engagement_time_msec: 1_200,
          },
        }),
      ],
      request: ofJane(
        sent('Plan_Changed', {
          engagement_time_msec: 1_200,
          constructor: 'a property like any other',
          ['n'.repeat(40)]: 1,
          new_plan: 'plus',
          isTrial: false,
          note: 'x'.repeat(100),
          torn: 'x'.repeat(99),
          page_title: 't'.repeat(300),
        }),
      ),
    },
    {
      title: 'a page speaks for itself before its context does',
      provenance: sending,
      events: [
        pageEvent({
          context: { page: { url: 'https://a.example/', title: 'A', search: '?a' } },
          properties: {
            url: `https://b.example/${'b'.repeat(1_000)}`,
            referrer: `https://c.example/${'c'.repeat(500)}`,
          },
        }),
      ],
      request: ofJane(
        sent('page_view', {
          page_location: `https://b.example/${'b'.repeat(982)}`,
          page_referrer: `https://c.example/${'c'.repeat(402)}`,
          page_title: 'A',
          search: '?a',
        }),
      ),
    },
  ],
  unmappable: [
    ...['session_start', 'ad_impression', 'error', 'ga_event', 'google_event', 'firebase_event']
      .concat(['_event', 'gtag.event', '1st_event', 'sign-up', 'Größe', 'n'.repeat(41)])
      .map((event) => ({ event: trackEvent({ event }), reason: noName(event) })),
    {
      event: trackEvent({ anonymousId: 'null', userId: '0' }),
      reason: 'the id "0" names nobody',
    },
    { event: order({ order_id: undefined }), reason: noOrder },
    { event: order({ order_id: { id: 17 } }), reason: noOrder },
    { event: order({ total: null }), reason: noOrder },
    { event: order({ currency: undefined }), reason: noOrder },
    { event: order({ currency: 'Franken' }), reason: noOrder },
    { event: order({ total: 'much' }), reason: noOrder },
    { event: trackEvent({ event: ' purchase ', properties: { value: 5 } }), reason: noOrder },
    {
      event: order({ products: [{ product_id: 'p-1' }, { price: 5 }] }),
      reason: 'a product has no product_id, sku or name',
    },
  ],
  responses: [
    {
      title: '204 whatever it thinks of them',
      provenance: reference,
      events: [trackEvent(), pageEvent()],
      response: answer(204),
      verdicts: [delivered, delivered],
    },
    {
      title: 'a page instead: something else has answered',
      provenance: reference,
      events: [trackEvent()],
      response: answer(200, '<!doctype html>'),
      verdicts: [{ kind: 'retry', reason: '200 <!doctype html>' }],
    },
    {
      title: 'no 2xx: the request itself is wrong, and is not to be repeated',
      provenance: reference,
      events: [trackEvent()],
      response: answer(404, 'Not Found'),
      verdicts: [{ kind: 'rejected', reason: '404 Not Found' }],
    },
    {
      title: 'a server that is busy',
      provenance: documented(
        'Retry-After, https://www.rfc-editor.org/rfc/rfc9110#field.retry-after',
      ),
      events: [trackEvent(), pageEvent()],
      response: answer(503, 'busy', { 'retry-after': '30' }),
      verdicts: [
        { kind: 'retry', reason: '503 busy', retryAfterMs: 30_000 },
        { kind: 'retry', reason: '503 busy', retryAfterMs: 30_000 },
      ],
    },
  ],
  mistakes: [
    { settings: { apiSecret: settings.apiSecret }, path: 'measurementId' },
    { settings: { ...settings, measurementId: 'UA-1234-1' }, path: 'measurementId' },
    { settings: { measurementId: settings.measurementId }, path: 'apiSecret' },
    { settings: { ...settings, apiSecret: 'a secret' }, path: 'apiSecret' },
  ],
  dedupeKeys: 'none',
};
