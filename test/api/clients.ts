import { basic, type Sent } from './api-server.ts';

/** What a published client puts on the wire, and what must become of it. */
export interface ClientRequest extends Sent {
  client: string;
  path: string;
  /** Of each event, what must arrive of it. */
  arrives: object[];
}

// Shapes as the named versions were seen to send them, 2026-11; the values are made up. The
// requests are received at 2026-11-05T12:00:00.000Z.
const sentAt = '2026-11-05T11:59:59.000Z';
const uuid = (n: number): string => `3d0c7a52-6c1e-4a53-9f1b-00000000000${n}`;
const withHeader = { Authorization: basic('website-key:') };
const json = { 'Content-Type': 'application/json' };

export const clientRequests: ClientRequest[] = [
  {
    client: '@segment/analytics-node 3.1.0',
    path: '/v1/batch',
    headers: { ...json, ...withHeader },
    body: {
      batch: [
        {
          type: 'page',
          messageId: `node-next-1793880000000-${uuid(1)}`,
          userId: 'u1',
          name: 'Home',
          category: 'Docs',
          properties: { category: 'Docs', name: 'Home' },
          integrations: {},
          timestamp: '2026-11-05T11:59:58.547Z',
          context: { library: { name: '@segment/analytics-node', version: '3.1.0' } },
          _metadata: { nodeVersion: '20.20.2', jsRuntime: 'node' },
        },
      ],
      writeKey: 'website-key',
      sentAt,
    },
    arrives: [
      {
        messageId: `node-next-1793880000000-${uuid(1)}`,
        timestamp: '2026-11-05T11:59:59.547Z',
        originalTimestamp: '2026-11-05T11:59:58.547Z',
        sentAt,
        name: 'Home',
      },
    ],
  },
  {
    client: '@segment/analytics-next 1.84.3, standard delivery',
    path: '/v1/t',
    headers: { 'Content-Type': 'text/plain', ...withHeader, 'X-Retry-Count': '1' },
    body: {
      type: 'track',
      event: 'Clicked',
      properties: {},
      anonymousId: uuid(2),
      userId: null,
      messageId: `ajs-next-1793880000000-${uuid(2)}`,
      integrations: { 'Segment.io': true },
      timestamp: '2026-11-05T11:59:58.000Z',
      context: {
        page: { path: '/' },
        library: { name: 'analytics.js', version: 'npm:next-1.84.3' },
      },
      writeKey: 'website-key',
      sentAt,
      _metadata: { bundled: ['Segment.io'], unbundled: [], bundledIds: [], retryCount: 1 },
    },
    arrives: [
      {
        event: 'Clicked',
        anonymousId: uuid(2),
        integrations: { 'Segment.io': true },
        timestamp: '2026-11-05T11:59:59.000Z',
      },
    ],
  },
  {
    client: '@segment/analytics-next 1.84.3, batching: the key in every event',
    path: '/v1/b',
    headers: { 'Content-Type': 'text/plain' },
    body: {
      batch: ['Clicked', 'Scrolled'].map((event, n) => ({
        type: 'track',
        event,
        anonymousId: uuid(3),
        messageId: `ajs-next-1793880000000-${uuid(n)}`,
        integrations: { 'Segment.io': true },
        timestamp: '2026-11-05T11:59:58.000Z',
        writeKey: 'website-key',
      })),
      sentAt,
    },
    arrives: [
      { event: 'Clicked', timestamp: '2026-11-05T11:59:59.000Z' },
      { event: 'Scrolled', timestamp: '2026-11-05T11:59:59.000Z' },
    ],
  },
  {
    client: 'segment-analytics-python 2.3.4: no header, explicit nulls, gzip',
    path: '/v1/batch',
    headers: json,
    gzip: true,
    body: {
      batch: [
        {
          integrations: {},
          anonymousId: null,
          properties: { price: 7 },
          timestamp: '2026-11-05T11:59:58.754+00:00',
          context: { library: { name: 'analytics-python', version: '2.3.4' } },
          userId: 'u1',
          type: 'track',
          event: 'Paid',
          messageId: uuid(4),
        },
      ],
      sentAt: '2026-11-05T11:59:59.000000+00:00',
      writeKey: 'website-key',
    },
    arrives: [{ event: 'Paid', userId: 'u1', timestamp: '2026-11-05T11:59:59.754Z' }],
  },
  {
    client: '@segment/analytics-node 3.1.0 with OAuth: a token that is no write key',
    path: '/v1/batch',
    headers: { ...json, Authorization: 'Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln' },
    body: {
      batch: [
        {
          type: 'screen',
          messageId: `node-next-1793880000000-${uuid(2)}`,
          anonymousId: uuid(1),
          name: 'Main',
          properties: { name: 'Main' },
          integrations: {},
          timestamp: '2026-11-05T11:59:59.000Z',
          context: { library: { name: '@segment/analytics-node', version: '3.1.0' } },
        },
      ],
      writeKey: 'website-key',
      sentAt,
    },
    arrives: [{ anonymousId: uuid(1), name: 'Main', properties: { name: 'Main' } }],
  },
  {
    client: '@segment/analytics-next 1.84.3: an alias of somebody to themselves',
    path: '/v1/a',
    headers: { 'Content-Type': 'text/plain', ...withHeader },
    body: {
      type: 'alias',
      userId: 'u1',
      previousId: 'u1',
      anonymousId: uuid(2),
      messageId: `ajs-next-1793880000000-${uuid(5)}`,
      integrations: { 'Segment.io': true },
      timestamp: '2026-11-05T11:59:59.000Z',
      context: { library: { name: 'analytics.js', version: 'npm:next-1.84.3' } },
      writeKey: 'website-key',
      sentAt,
      _metadata: { bundled: ['Segment.io'], unbundled: [], bundledIds: [] },
    },
    arrives: [{ type: 'alias', userId: 'u1', previousId: 'u1', context: { ip: '127.0.0.1' } }],
  },
  {
    client: 'segment-analytics-python 2.4.0: header and body, explicit nulls',
    path: '/v1/batch',
    headers: { ...json, ...withHeader },
    body: {
      batch: [
        {
          integrations: {},
          anonymousId: null,
          groupId: 'g1',
          traits: {},
          timestamp: '2026-11-05T11:59:51.754+00:00',
          context: { library: { name: 'segment-analytics-python', version: '2.4.0' } },
          userId: 'u1',
          type: 'group',
          messageId: uuid(6),
        },
      ],
      sentAt: '2026-11-05T11:59:59.000+00:00',
      writeKey: 'website-key',
    },
    arrives: [{ type: 'group', groupId: 'g1', timestamp: '2026-11-05T11:59:52.754Z' }],
  },
  {
    client: 'analytics-python 1.4: six digits',
    path: '/v1/batch',
    headers: { ...json, ...withHeader },
    body: {
      batch: [
        {
          type: 'screen',
          userId: 'u1',
          anonymousId: null,
          category: null,
          name: 'Main',
          properties: {},
          timestamp: '2026-11-05T11:59:58.754321+00:00',
          messageId: uuid(5),
        },
      ],
      sentAt: '2026-11-05T11:59:59.000001+00:00',
      writeKey: 'website-key',
    },
    arrives: [{ name: 'Main', originalTimestamp: '2026-11-05T11:59:58.754Z' }],
  },
  {
    client: 'analytics-go 3.3.0: no key in the body, library of the batch, nine digits',
    path: '/v1/batch',
    headers: { ...json, ...withHeader },
    body: {
      messageId: uuid(6),
      sentAt: '2026-11-05T11:59:59.123456789Z',
      batch: [
        {
          type: 'group',
          messageId: uuid(7),
          userId: 'u1',
          groupId: 'g1',
          timestamp: '2026-11-05T11:59:47.795645041Z',
          traits: { name: 'Acme' },
          integrations: { all: false },
        },
      ],
      context: { library: { name: 'analytics-go', version: '3.0.0' } },
    },
    arrives: [
      {
        messageId: uuid(7),
        context: { library: { name: 'analytics-go', version: '3.0.0' } },
        timestamp: '2026-11-05T11:59:48.672Z',
        integrations: { all: false },
      },
    ],
  },
  {
    client: 'analytics-java 3.5.4: /v1/import/, no header, library of the batch',
    path: '/v1/import/',
    headers: { 'Content-Type': 'application/json; charset=UTF-8' },
    body: {
      batch: [
        {
          type: 'identify',
          messageId: uuid(8),
          userId: 'u1',
          timestamp: '2026-11-05T11:59:58.000Z',
        },
        {
          type: 'alias',
          messageId: uuid(9),
          userId: 'u1',
          previousId: 'a1',
          timestamp: '2026-11-05T11:59:58.000Z',
        },
      ],
      sentAt,
      context: { library: { name: 'analytics-java', version: '3.5.4' }, instanceId: uuid(1) },
      sequence: 0,
      writeKey: 'website-key',
    },
    arrives: [
      { type: 'identify', traits: {}, context: { library: { name: 'analytics-java' } } },
      { type: 'alias', previousId: 'a1', context: { instanceId: uuid(1) } },
    ],
  },
  {
    client: 'analytics-java 3.5.5, unreleased: header and body',
    path: '/v1/import/',
    headers: { 'Content-Type': 'application/json; charset=UTF-8', ...withHeader },
    body: {
      batch: [
        {
          type: 'track',
          event: 'Paid',
          messageId: uuid(2),
          anonymousId: uuid(1),
          timestamp: '2026-11-05T11:59:58.000Z',
          sentAt,
        },
      ],
      sentAt,
      context: { library: { name: 'analytics-java', version: '3.5.5' } },
      sequence: 1,
      writeKey: 'website-key',
    },
    arrives: [{ event: 'Paid', properties: {}, timestamp: '2026-11-05T11:59:59.000Z', sentAt }],
  },
  {
    client: 'rudder-sdk-python 2.1.9: gzip, no key in the body, six digits',
    path: '/v1/batch',
    headers: { ...json, ...withHeader },
    gzip: true,
    body: {
      batch: [
        {
          type: 'identify',
          userId: 'u1',
          anonymousId: null,
          traits: { plan: 'pro' },
          integrations: {},
          timestamp: '2026-11-05T11:59:58.754321+00:00',
          messageId: uuid(3),
          context: { library: { name: 'rudder-analytics-python', version: '2.1.9' } },
          channel: 'server',
        },
      ],
      sentAt: '2026-11-05T11:59:59.000001+00:00',
    },
    arrives: [{ type: 'identify', traits: { plan: 'pro' }, timestamp: '2026-11-05T11:59:59.754Z' }],
  },
  {
    client: 'rudder-sdk-node 3.0.13: gzip as a form, originalTimestamp and sentAt per event',
    path: '/v1/batch',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...withHeader },
    gzip: true,
    body: {
      batch: [
        {
          type: 'page',
          name: 'Home',
          userId: 'u1',
          messageId: uuid(1),
          originalTimestamp: '2026-11-05T14:59:58.000Z',
          sentAt: '2026-11-05T14:59:59.000Z',
          context: { library: { name: '@rudderstack/rudder-sdk-node', version: '3.0.13' } },
          _metadata: { nodeVersion: '20.20.2' },
          channel: 'server',
        },
      ],
      // Of the request: it is no event's.
      timestamp: '2026-11-05T14:00:00.000Z',
      sentAt: '2026-11-05T14:59:59.000Z',
    },
    arrives: [
      {
        channel: 'server',
        properties: {},
        timestamp: '2026-11-05T11:59:59.000Z',
        originalTimestamp: '2026-11-05T14:59:58.000Z',
      },
    ],
  },
  {
    client: 'analytics-kotlin: /v1/b, gzip, no header',
    path: '/v1/b',
    headers: { 'Content-Type': 'text/plain' },
    gzip: true,
    body: {
      batch: [
        {
          type: 'screen',
          name: 'Main',
          anonymousId: uuid(2),
          messageId: uuid(3),
          timestamp: '2026-11-05T11:59:58.000Z',
          context: { device: { type: 'android' } },
          integrations: {},
        },
      ],
      sentAt,
      writeKey: 'website-key',
    },
    arrives: [{ name: 'Main', context: { device: { type: 'android' } } }],
  },
  {
    client: 'curl, as the documentation has it: Basic without the colon',
    path: '/v1/identify',
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      Authorization: basic('website-key'),
    },
    body: { userId: 17, traits: { email: 'jane@shop.example' } },
    arrives: [{ type: 'identify', userId: '17', messageId: 'given-1' }],
  },
];
