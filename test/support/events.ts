import type {
  AliasEvent,
  Event,
  EventOf,
  EventType,
  GroupEvent,
  IdentifyEvent,
  PageEvent,
  ScreenEvent,
  TrackEvent,
} from '../../src/event.ts';

/** What the events built here share. The client's clock was a second fast. */
const common = {
  userId: 'jane-17',
  anonymousId: '0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60',
  context: {
    ip: '203.0.113.9',
    library: { name: 'analytics.js', version: 'next-1.84.3' },
    locale: 'de-CH',
    page: { url: 'https://shop.example/offers?p=2', referrer: 'https://search.example/' },
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  },
  integrations: {},
  timestamp: '2026-03-04T09:59:30.250Z',
  originalTimestamp: '2026-03-04T09:59:31.250Z',
  sentAt: '2026-03-04T09:59:33.000Z',
  receivedAt: '2026-03-04T09:59:32.000Z',
  version: 2,
} as const;

export const trackEvent = (given: Partial<TrackEvent> = {}): TrackEvent => ({
  ...common,
  type: 'track',
  messageId: 'ajs-next-1772618370250-7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d01',
  event: 'Article Added',
  properties: { sku: 'G-32', price: 18.99, sizes: ['S', 'M'] },
  ...given,
});

/** So many, with the messageIds `m-0`, `m-1`, … */
export const trackEvents = (count: number): TrackEvent[] =>
  Array.from({ length: count }, (_, n) => trackEvent({ messageId: `m-${n}` }));

export const identifyEvent = (given: Partial<IdentifyEvent> = {}): IdentifyEvent => ({
  ...common,
  type: 'identify',
  messageId: 'node-next-1772618370250-7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d02',
  traits: { email: 'jane@shop.example', firstName: 'Jane', lastName: 'Dürr', plan: 'plus' },
  ...given,
});

export const pageEvent = (given: Partial<PageEvent> = {}): PageEvent => ({
  ...common,
  type: 'page',
  messageId: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d03',
  name: 'Offers',
  category: 'Shop',
  properties: { path: '/offers' },
  ...given,
});

export const screenEvent = (given: Partial<ScreenEvent> = {}): ScreenEvent => ({
  ...common,
  type: 'screen',
  messageId: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d04',
  name: 'Basket',
  properties: { articles: 3 },
  ...given,
});

export const groupEvent = (given: Partial<GroupEvent> = {}): GroupEvent => ({
  ...common,
  type: 'group',
  messageId: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d05',
  groupId: 'acme',
  traits: { name: 'Acme AG', employees: 420 },
  ...given,
});

export const aliasEvent = (given: Partial<AliasEvent> = {}): AliasEvent => ({
  ...common,
  type: 'alias',
  messageId: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d06',
  previousId: 'jane@shop.example',
  ...given,
});

/** A builder for each type. */
export const eventBuilders: { [T in EventType]: (given?: Partial<EventOf<T>>) => EventOf<T> } = {
  track: trackEvent,
  identify: identifyEvent,
  page: pageEvent,
  screen: screenEvent,
  group: groupEvent,
  alias: aliasEvent,
};

/** The event of somebody known by the other id alone. */
export const without = <E extends Event>(event: E, field: 'userId' | 'anonymousId'): E =>
  Object.fromEntries(Object.entries(event).filter(([key]) => key !== field)) as unknown as E;
