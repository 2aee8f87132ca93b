import type { PartnerResponse } from '../../src/destinations/define.ts';
import type { JsonObject } from '../../src/event.ts';
import { trackEvent, without } from '../support/events.ts';
import type { DestinationFixture, Provenance } from './fixture.ts';

const documented = (reference: string): Provenance => ({
  from: 'documented',
  reference,
  date: '2026-11-22',
});
const specification = documented(
  'Event API 1.3.0, https://docs.developers.optimizely.com/experimentation-data/reference/post_events',
);
const gettingStarted = documented(
  'Event API: get started, https://docs.developers.optimizely.com/experimentation-data/docs/event-api-getting-started',
);
const orderCompleted = documented(
  'Order Completed, https://segment.com/docs/connections/spec/ecommerce/v2/#order-completed',
);

const events = (...visitors: JsonObject[]) => ({
  method: 'POST' as const,
  url: 'https://logx.optimizely.com/v1/events',
  headers: { 'content-type': 'application/json', 'x-optimizely-strict': 'true' },
  body: {
    account_id: '8537612001',
    client_name: 'distributary',
    enrich_decisions: true,
    visitors,
  },
});
const visitor = (visitor_id: string, conversion: JsonObject) => ({
  visitor_id,
  snapshots: [{ decisions: [], events: [conversion] }],
});

/** What the shared parts of the built events come to. */
const added = {
  key: 'Article Added',
  uuid: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d01',
  timestamp: 1_772_618_370_250,
};
const earned = (properties: JsonObject, event = 'Article Added') =>
  trackEvent({ event, properties });

const answer = (status: number, body = ''): PartnerResponse => ({ status, headers: {}, body });
const delivered = { kind: 'delivered' } as const;
const two = [trackEvent(), trackEvent({ userId: 'joe', messageId: 'm-2' })];

export const fixture: DestinationFixture = {
  settings: { accountId: '8537612001' },
  secrets: [],
  attempt: { time: 1_772_618_520_900 },
  limits: { provenance: gettingStarted, bytes: 3_500_000 },
  requests: [
    {
      title: 'visitors share a request',
      provenance: specification,
      events: [
        trackEvent(),
        without(trackEvent({ messageId: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d07' }), 'userId'),
      ],
      request: events(
        visitor('jane-17', { ...added, tags: { sku: 'G-32', price: 18.99 } }),
        visitor('0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60', {
          ...added,
          uuid: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d07',
          tags: { sku: 'G-32', price: 18.99 },
        }),
      ),
    },
    {
      title: 'an id that is no uuid becomes one (version 5)',
      provenance: specification,
      events: [
        trackEvent({ messageId: 'order-17', properties: {} }),
        trackEvent({ messageId: 'ordre\n17.é', properties: {} }),
      ],
      request: events(
        visitor('jane-17', { ...added, uuid: 'ccbaa49d-7161-524b-8674-0dd4103ba4d6', tags: {} }),
        visitor('jane-17', { ...added, uuid: 'd7496fd6-ffb4-5c12-8ddb-5ab0adb2fe48', tags: {} }),
      ),
    },
    {
      title: 'revenue in hundredths, value and quantity as numbers, the rest as tags',
      provenance: specification,
      events: [
        earned({
          revenue: 19.99,
          value: 4.5,
          quantity: 3,
          total: 21,
          plan: 'plus',
          isTrial: false,
          nothing: null,
          list: [1],
          nested: { a: 1 },
        }),
        trackEvent({ messageId: 'm-2', properties: { value: 'high', quantity: 1.5, total: 21 } }),
        trackEvent({
          messageId: 'm-3',
          properties: { revenue: '-$1.5', value: '4.5', quantity: '3' },
        }),
      ],
      request: events(
        visitor('jane-17', {
          ...added,
          revenue: 1_999,
          value: 4.5,
          quantity: 3,
          tags: { total: 21, plan: 'plus', isTrial: false },
        }),
        visitor('jane-17', {
          ...added,
          uuid: '9775864b-f84d-56a1-9f1d-6df5934804a3',
          tags: { total: 21 },
        }),
        visitor('jane-17', {
          ...added,
          uuid: 'd7532bc1-fc38-532d-8a8d-78bd302d1f5e',
          revenue: -150,
          value: 4.5,
          quantity: 3,
          tags: {},
        }),
      ),
    },
    {
      title: 'an order without a revenue is worth its total',
      provenance: orderCompleted,
      events: [earned({ order_id: 'o-17', total: 27.5 }, 'Order Completed')],
      request: events(
        visitor('jane-17', {
          ...added,
          key: 'Order Completed',
          revenue: 2_750,
          tags: { order_id: 'o-17', total: 27.5 },
        }),
      ),
    },
    {
      title: 'an event whose id is known goes with it',
      provenance: gettingStarted,
      events: [trackEvent({ properties: {} })],
      settings: {
        accountId: 8_537_612_001,
        sdkKey: 'Wq3Vn8',
        eventIds: { 'Article Added': 20_410_805_626 },
      },
      request: events(visitor('jane-17', { ...added, entity_id: '20410805626', tags: {} })),
    },
    {
      title: 'where ids are given, an event without one is not for Optimizely',
      provenance: gettingStarted,
      events: [trackEvent({ event: 'toString' })],
      settings: { accountId: '8537612001', eventIds: { 'Article Added': '20410805626' } },
      request: null,
    },
  ],
  unmappable: [
    {
      event: without(trackEvent({ userId: 'null' }), 'anonymousId'),
      reason: 'the id "null" names nobody',
    },
    { event: earned({ revenue: 'much' }), reason: 'an amount of money is not a number' },
    { event: earned({ revenue: [5] }), reason: 'an amount of money is not a number' },
    { event: earned({ revenue: 1e300 }), reason: 'an amount of money is too large' },
  ],
  responses: [
    {
      title: 'a page instead: something else has answered',
      provenance: specification,
      events: [trackEvent()],
      response: answer(200, '\n<html>Sign in</html>'),
      verdicts: [{ kind: 'retry', reason: '200 \n<html>Sign in</html>' }],
    },
    {
      title: 'the events were queued',
      provenance: specification,
      events: two,
      response: answer(204),
      verdicts: [delivered, delivered],
    },
    {
      title: 'one event that is not well formed has all refused',
      provenance: specification,
      events: two,
      response: answer(400, 'visitors[1].snapshots[0].events[0].revenue: not an integer'),
      verdicts: two.map(() => ({
        kind: 'blocked',
        reason: '400 visitors[1].snapshots[0].events[0].revenue: not an integer',
      })),
    },
    {
      title: 'an error of the server: later again',
      provenance: specification,
      events: two,
      response: answer(500, 'oops'),
      verdicts: two.map(() => ({ kind: 'retry', reason: '500 oops' })),
    },
    {
      title: 'any other no is for good',
      provenance: specification,
      events: [trackEvent()],
      response: answer(404, 'gone'),
      verdicts: [{ kind: 'rejected', reason: '404 gone' }],
    },
  ],
  mistakes: [
    { settings: {}, path: 'accountId' },
    { settings: { accountId: 'an account' }, path: 'accountId' },
    { settings: { accountId: 1.5 }, path: 'accountId' },
    { settings: { accountId: '1', sdkKey: '' }, path: 'sdkKey' },
    { settings: { accountId: '1', eventIds: { Signup: 'a b' } }, path: 'eventIds.Signup' },
  ],
  dedupeKeys: ({ body }) =>
    (JSON.parse(body) as { visitors: { snapshots: { events: { uuid: string }[] }[] }[] }).visitors
      .flatMap(({ snapshots }) => snapshots.flatMap(({ events: sent }) => sent))
      .map(({ uuid }) => uuid),
};
