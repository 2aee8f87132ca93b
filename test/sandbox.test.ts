import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import { chunk } from '../src/activities/chunk.ts';
import type { DestinationType, PartnerRequest } from '../src/destinations/define.ts';
import { googleAnalytics4 } from '../src/destinations/google-analytics-4.ts';
import { mixpanel } from '../src/destinations/mixpanel.ts';
import { optimizely } from '../src/destinations/optimizely.ts';
import { sign, webhook } from '../src/destinations/webhook.ts';
import type { Event, JsonObject } from '../src/event.ts';
import { createLog } from '../src/log.ts';
import { partnerNames, type Arrival, type Counts } from '../src/sandbox/arrivals.ts';
import { createSandbox } from '../src/sandbox/sandbox.ts';
import { UserError } from '../src/user-error.ts';
import { eventBuilders, identifyEvent, trackEvent } from './support/events.ts';

const webhookSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const authorization = `Basic ${btoa('token:')}`;
const log = createLog('silent');
let url = '';
let close = (): Promise<void> => Promise.resolve();

beforeEach(async () => {
  ({ url, close } = await createSandbox({ host: '127.0.0.1', port: 0, log, webhookSecret }));
});
afterEach(() => close());

interface Answered {
  status: number;
  body: JsonObject;
}
const answered = async (response: Response): Promise<Answered> => ({
  status: response.status,
  body: response.status === 204 ? {} : ((await response.json()) as JsonObject),
});
const get = async (path: string): Promise<Answered> => answered(await fetch(url + path));
const post = async (path: string, body: unknown, headers = {}): Promise<Answered> =>
  answered(
    await fetch(url + path, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  );
const received = async (partner?: string): Promise<{ counts: Counts; arrivals: Arrival[] }> => {
  const { body } = await get(`/received${partner === undefined ? '' : `?partner=${partner}`}`);
  return body as unknown as { counts: Counts; arrivals: Arrival[] };
};

const imported = (given: JsonObject = {}, event: unknown = 'Article Added') => ({
  event,
  properties: { time: Date.now(), distinct_id: 'jane', $insert_id: 'a-1', ...given },
});

/** Sends what a destination type would, to the sandbox in the partner's place. */
const deliver = async (request: PartnerRequest): Promise<Answered> => {
  const { pathname, search } = new URL(request.url);
  return post(pathname + search, request.body, request.headers);
};

/** Sends an event of each type that a destination type supports, and what more is given. */
const deliverAll = async (
  type: DestinationType,
  given: JsonObject,
  more: readonly Event[] = [],
): Promise<number[]> => {
  const settings = type.settings.parse(given);
  const timestamp = new Date().toISOString();
  const events = Object.values(eventBuilders)
    .map((build) => (build as (given: JsonObject) => Event)({ timestamp, receivedAt: timestamp }))
    .filter((event) => type.events[event.type] !== undefined);
  const items = [...events, ...more].map((event, place) => ({
    place,
    item: (type.events[event.type] as (event: Event, settings: JsonObject) => unknown)(
      event,
      settings,
    ),
  }));
  const statuses: number[] = [];
  for (const placed of chunk(type, items)) {
    const sent = placed.map(({ item }) => item);
    statuses.push((await deliver(type.request(sent, settings, { time: 0 }))).status);
  }
  return statuses;
};

/** An order as Segment's specification has it. */
const order = (messageId: string): Event =>
  trackEvent({
    messageId,
    event: 'Order Completed',
    timestamp: new Date().toISOString(),
    receivedAt: new Date().toISOString(),
    properties: {
      order_id: 'o-17',
      total: 27.5,
      revenue: 25,
      currency: 'USD',
      products: [{ product_id: 'p-1', name: 'Backpack', price: 10, quantity: 2 }],
    },
  });

describe('Mixpanel', () => {
  test('takes all that our destination type sends', async () => {
    expect(await deliverAll(mixpanel, { projectToken: 'tok-3n' })).toEqual([200, 200, 200]);
    const { counts, arrivals } = await received('mixpanel');
    expect(counts.mixpanel).toEqual({ accepted: 6, duplicate: 0, rejected: 0 });
    expect(arrivals.map(({ kind }) => kind).sort()).toEqual([
      'event',
      'event',
      'event',
      'event',
      'group profile',
      'profile',
    ]);
    expect(JSON.stringify(arrivals)).not.toContain('tok-3n');
  });

  test('answers as documented where some records fail, and takes the others', async () => {
    const records = [imported(), imported({ $insert_id: 'a-2', time: 5 }), imported({}, '')];
    expect(await post('/import?strict=1', records)).toEqual({
      status: 400,
      body: {
        code: 400,
        error: 'some data points in the request failed validation',
        status: 'Bad Request',
        num_records_imported: 1,
        failed_records: [
          {
            index: 1,
            field: 'properties.time',
            message: 'must be between 1971-01-01 and in an hour, in s or ms',
          },
          { index: 2, field: 'event', message: 'must be a text' },
        ],
      },
    });
    const { counts, arrivals } = await received();
    expect(counts.mixpanel).toEqual({ accepted: 1, duplicate: 0, rejected: 2 });
    expect(arrivals).toMatchObject([
      { verdict: 'rejected', reason: 'event: must be a text' },
      { verdict: 'rejected', name: 'Article Added' },
      { verdict: 'accepted', ids: { distinct_id: 'jane', $insert_id: 'a-1' } },
    ]);
  });

  const now = Date.now();
  const faults: [string, unknown, string][] = [
    ['no object', 5, ''],
    ['no properties', { event: 'x' }, 'properties'],
    [
      'too many properties',
      imported(Object.fromEntries([...Array(255).keys()].map((key) => [key, 1]))),
      'properties',
    ],
    ['no time', imported({ time: undefined }), 'properties.time'],
    ['time as text', imported({ time: '2026-01-01' }), 'properties.time'],
    ['time in two hours', imported({ time: now + 7_200_000 }), 'properties.time'],
    ['no distinct_id', imported({ distinct_id: undefined }), 'properties.distinct_id'],
    ['a banned distinct_id', imported({ distinct_id: 'anonymous' }), 'properties.distinct_id'],
    [
      'the zero uuid',
      imported({ distinct_id: '00000000-0000-0000-0000-000000000000' }),
      'properties.distinct_id',
    ],
    ['no $insert_id', imported({ $insert_id: undefined }), 'properties.$insert_id'],
    [
      "an SDK's id as it is",
      imported({ $insert_id: trackEvent().messageId }),
      'properties.$insert_id',
    ],
    ['an underscore', imported({ $insert_id: 'a_1' }), 'properties.$insert_id'],
    ['a banned $insert_id', imported({ $insert_id: 'none' }), 'properties.$insert_id'],
  ];
  test.each(faults)('refuses a record with %s', async (_, record, field) => {
    const { status, body } = await post('/import?strict=1', [record]);
    expect(status).toBe(400);
    expect(body['failed_records']).toMatchObject([{ index: 0, field }]);
  });

  test('takes seconds, and nobody', async () => {
    const records = [imported({ time: Math.floor(now / 1_000), distinct_id: '' })];
    expect(await post('/import?strict=1', records)).toMatchObject({
      body: { code: 200, num_records_imported: 1, status: 'OK' },
    });
  });

  test('knows an event again by name, time, person and $insert_id', async () => {
    const event = imported();
    await post('/import?strict=1', [event, event]);
    expect(await post('/import?strict=1', [event])).toMatchObject({ status: 200 });
    await post('/import?strict=1', [imported({ distinct_id: 'eve' })]);
    expect((await received()).counts.mixpanel).toEqual({ accepted: 2, duplicate: 2, rejected: 0 });
  });

  test('asks for credentials, a list, and no more than it takes', async () => {
    expect(await post('/import', [imported()], { authorization: '' })).toMatchObject({
      status: 401,
    });
    expect(
      await post('/import', [imported()], { authorization: `Basic ${btoa(':x')}` }),
    ).toMatchObject({ status: 401 });
    expect(await post('/import', imported())).toMatchObject({ status: 400 });
    expect(await post('/import', '[')).toMatchObject({ status: 400 });
    expect(await post('/import', Array(2_001).fill(imported()))).toMatchObject({ status: 400 });
    expect(await post('/import', [imported({ text: 'x'.repeat(2_100_000) })])).toMatchObject({
      status: 413,
      body: { code: 413 },
    });
    expect((await received()).arrivals.map(({ verdict }) => verdict)).toEqual(
      Array(6).fill('rejected'),
    );
  });

  test('says yes and no to profiles with 200', async () => {
    const good = { $token: 't', $distinct_id: 'jane', $set: { plan: 'plus' } };
    const bad = { ...good, $distinct_id: '' };
    expect(await post('/engage?verbose=1', [good])).toEqual({
      status: 200,
      body: { status: 1, error: null },
    });
    expect(await post('/engage?verbose=1', [bad])).toEqual({
      status: 200,
      body: { status: 0, error: '$distinct_id, missing or empty' },
    });
    expect(await post('/engage', [bad])).toEqual({ status: 200, body: 0 });
    expect(await post('/engage?verbose=1&strict=1', [bad, good])).toMatchObject({
      body: { status: 1, failed_records: [{ index: 0, field: '$distinct_id' }] },
    });
    const group = { $token: 't', $group_key: '$group_id', $group_id: 'acme', $set: {} };
    expect(await post('/groups', [group, { ...group, $set: undefined }])).toMatchObject({
      body: 1,
    });
  });
});

describe('Google Analytics 4', () => {
  const settings = { measurementId: 'G-7RQ1DC0LXN', apiSecret: 'tok-4n' };
  const collect = async (content: unknown, query = 'measurement_id=G-1&api_secret=x') => {
    expect(await post(`/mp/collect?${query}`, content)).toEqual({ status: 204, body: {} });
    return (await received('google-analytics-4')).arrivals[0]!;
  };
  const event = (params: JsonObject = {}, name: unknown = 'Article_Added') => ({
    client_id: 'jane',
    events: [{ name, params: { engagement_time_msec: 1, ...params } }],
  });

  test('finds nothing wrong with what our destination type sends, and knows an order again', async () => {
    expect(await deliverAll(googleAnalytics4, settings, [order('m-1'), order('m-2')])).toEqual([
      204,
    ]);
    const { counts, arrivals } = await received('google-analytics-4');
    expect(counts['google-analytics-4']).toEqual({ accepted: 3, duplicate: 1, rejected: 0 });
    expect(arrivals.map(({ name }) => name)).toEqual([
      'purchase',
      'purchase',
      'page_view',
      'Article_Added',
    ]);
    expect(arrivals.map(({ reason }) => reason)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(arrivals[0]!.ids).toEqual({
      client_id: '0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60',
      user_id: 'jane-17',
      transaction_id: 'o-17',
    });
    expect(JSON.stringify(arrivals)).not.toContain('tok-4n');
  });

  const drops: [string, unknown, string][] = [
    ['no JSON', '{', 'the body is no JSON object'],
    ['no client', { ...event(), client_id: '' }, 'no client_id'],
    ['no events', { client_id: 'jane', events: [] }, 'no events'],
    [
      '26 events',
      { client_id: 'jane', events: Array(26).fill({ name: 'a' }) },
      'more than 25 events',
    ],
    ['too many bytes', event({ text: 'x'.repeat(130_000) }), 'the body has 130000 bytes or more'],
    [
      '26 user properties',
      {
        ...event(),
        user_properties: Object.fromEntries(Array.from({ length: 26 }, (_, at) => [`p${at}`, at])),
      },
      'more than 25 user properties',
    ],
    ['an event that is none', { client_id: 'jane', events: [5] }, 'the event is no object'],
    ['a name with a space', event({}, 'Article Added'), 'no name that an event may have'],
    ['a name with a reserved prefix', event({}, 'ga_added'), 'no name that an event may have'],
    ['a reserved name', event({}, 'session_start'), 'the name session_start is reserved'],
    [
      '26 params',
      event(Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`p${at}`, at]))),
      '26 params, of 25 at most',
    ],
  ];
  test.each(drops)('says 204 to %s, and drops it', async (_, content, why) => {
    expect(await collect(content)).toMatchObject({
      verdict: 'rejected',
      reason: `answered 204, and dropped: ${why}`,
    });
  });

  test('says 204 to nobody', async () => {
    for (const query of [
      '',
      'measurement_id=G-1',
      'api_secret=x',
      'measurement_id=1&api_secret=x',
    ]) {
      expect(await collect(event(), query)).toMatchObject({ verdict: 'rejected' });
    }
  });

  test('tells what it takes an event without', async () => {
    const told = await collect({
      client_id: 'jane',
      timestamp_micros: (Date.now() - 73 * 3_600_000) * 1_000,
      events: [
        {
          name: 'purchase',
          params: {
            list: [1],
            none: null,
            ga_x: 1,
            long: 'x'.repeat(101),
            page_location: 'x'.repeat(1_000),
            items: [{ item_id: 'p-1', nested: {} }, { price: 1 }],
          },
        },
      ],
    });
    expect(told).toMatchObject({ verdict: 'accepted', name: 'purchase' });
    expect(told.reason!.split('; ')).toEqual([
      'list is null, a list or an object',
      'none is null, a list or an object',
      'ga_x is no name of a param',
      'long has more than 100 characters',
      'no transaction_id',
      'no value in numbers',
      'no currency',
      'nested is null, a list or an object',
      'an item without item_id and item_name',
      'no engagement_time_msec',
      'older than 72 h: its time is changed',
    ]);
  });
});

describe('Optimizely', () => {
  const strict = { 'x-optimizely-strict': 'true' };
  const conversion = (given: JsonObject = {}) => ({
    key: 'Article Added',
    uuid: 'u-1',
    timestamp: 1_772_618_370_250,
    ...given,
  });
  const visitor = (...events: unknown[]) => ({ visitor_id: 'jane', snapshots: [{ events }] });
  const batch = (...visitors: unknown[]) => ({ account_id: '17', visitors });

  test('takes all that our destination type sends, and knows it again', async () => {
    for (const [accepted, duplicate] of [
      [2, 0],
      [2, 2],
    ]) {
      expect(await deliverAll(optimizely, { accountId: '17' }, [order('m-1')])).toEqual([204]);
      const { counts } = await received();
      expect(counts.optimizely).toEqual({ accepted, duplicate, rejected: 0 });
    }
    const { arrivals } = await received('optimizely');
    expect(arrivals[0]).toMatchObject({
      kind: 'conversion',
      name: 'Order Completed',
      ids: { visitor_id: 'jane-17', uuid: 'c021ec6c-8f8f-521e-87d7-ea93aa5cd714' },
      content: { revenue: 2_500 },
    });
  });

  const faults: [string, unknown, string][] = [
    ['no JSON', '{', 'batch: must be an object'],
    ['no account', { visitors: [] }, 'batch.account_id: is required'],
    ['an account in numbers', { ...batch(), account_id: 17 }, 'batch.account_id: must be text'],
    ['no visitor_id', batch({ snapshots: [] }), 'visitors[0].visitor_id: is required'],
    ['no snapshots', batch({ visitor_id: 'jane' }), 'visitors[0].snapshots: is required'],
    [
      'no uuid',
      batch(visitor(conversion({ uuid: undefined }))),
      'visitors[0].snapshots[0].events[0].uuid: is required',
    ],
    [
      'revenue in decimal units',
      batch(visitor(conversion(), conversion({ revenue: 19.99 }))),
      'visitors[0].snapshots[0].events[1].revenue: must be integer',
    ],
    [
      'a time as text',
      batch(visitor(conversion({ timestamp: '2026-03-04' }))),
      'visitors[0].snapshots[0].events[0].timestamp: must be integer',
    ],
    [
      'a tag that is a list',
      batch(visitor(conversion({ tags: { sizes: ['S'] } }))),
      'visitors[0].snapshots[0].events[0].tags.sizes: must be scalar',
    ],
    [
      'a property that is no text',
      batch(visitor(conversion({ properties: { size: 1 } }))),
      'visitors[0].snapshots[0].events[0].properties.size: must be text',
    ],
    [
      'a decision of nothing',
      batch({ visitor_id: 'jane', snapshots: [{ events: [], decisions: [{}] }] }),
      'visitors[0].snapshots[0].decisions[0].campaign_id: is required',
    ],
    [
      'an attribute without a value',
      batch({ ...visitor(conversion()), attributes: [{ type: 'custom' }] }),
      'visitors[0].attributes[0].value: is required',
    ],
  ];
  test.each(faults)('refuses, where it is strict, %s', async (_, content, fault) => {
    expect(await post('/v1/events', content, strict)).toEqual({
      status: 400,
      body: { message: fault },
    });
  });

  test('refuses the good with the bad, and takes none of them', async () => {
    const content = batch(visitor(conversion()), visitor(conversion({ uuid: 5 })));
    expect(await post('/v1/events', content, strict)).toMatchObject({ status: 400 });
    expect((await received('optimizely')).arrivals).toMatchObject([
      { verdict: 'rejected', reason: 'visitors[1].snapshots[0].events[0].uuid: must be text' },
      { verdict: 'rejected', reason: 'refused for another of its request' },
    ]);
    expect(await post('/v1/events', batch(visitor(conversion())), strict)).toMatchObject({
      status: 204,
    });
    expect((await received()).counts.optimizely).toMatchObject({ accepted: 1, duplicate: 0 });
  });

  test('drops in silence, where it is not strict', async () => {
    const content = batch(visitor(conversion({ revenue: 19.99 })), visitor(conversion()));
    expect(await post('/v1/events', content)).toEqual({ status: 204, body: {} });
    const { arrivals } = await received('optimizely');
    expect(arrivals.map(({ verdict }) => verdict)).toEqual(['accepted', 'rejected']);
    expect(arrivals[1]!.reason).toBe(
      'answered 204, and dropped: visitors[0].snapshots[0].events[0].revenue: must be integer',
    );
  });

  test('refuses more bytes than it takes', async () => {
    const content = batch(visitor(conversion({ tags: { text: 'x'.repeat(3_500_000) } })));
    expect(await post('/v1/events', content, strict)).toMatchObject({ status: 400 });
  });
});

describe('a receiver of webhooks', () => {
  const send = (event: Event, { time = Date.now(), secret = webhookSecret } = {}) =>
    deliver(webhook.request([event], { url: `${url}/webhook/any`, secret }, { time }));

  test('takes what is signed, and knows it again', async () => {
    expect(await send(identifyEvent())).toEqual({ status: 200, body: { ok: true } });
    await send(identifyEvent());
    const { counts, arrivals } = await received('webhook');
    expect(counts.webhook).toEqual({ accepted: 1, duplicate: 1, rejected: 0 });
    expect(arrivals[0]).toMatchObject({
      path: '/webhook/any',
      kind: 'identify',
      ids: { userId: 'jane-17', 'webhook-id': identifyEvent().messageId },
      content: identifyEvent(),
    });
  });

  test('refuses what is not signed rightly', async () => {
    const other = `whsec_${btoa('another key of some 28 bytes')}`;
    const body = JSON.stringify(trackEvent());
    const seconds = String(Math.floor(Date.now() / 1_000));
    const id = { 'webhook-id': 'm-1' };
    const at = { ...id, 'webhook-timestamp': seconds };
    const refusals: [Promise<Answered>, string][] = [
      [send(trackEvent(), { secret: other }), 'webhook-signature does not fit the body'],
      [
        send(trackEvent(), { time: Date.now() - 600_000 }),
        'webhook-timestamp is more than 5 minutes off',
      ],
      [post('/webhook', body), 'the header webhook-id is missing'],
      [post('/webhook', body, id), 'the header webhook-timestamp is missing'],
      [post('/webhook', body, at), 'the header webhook-signature is missing'],
      [
        post('/webhook', body, { ...at, 'webhook-signature': 'v1,' }),
        'webhook-signature does not fit the body',
      ],
    ];
    for (const [refusal, error] of refusals) {
      expect(await refusal).toEqual({ status: 400, body: { error } });
    }
  });

  test('takes one good signature among several', async () => {
    const body = JSON.stringify(trackEvent());
    const seconds = String(Math.floor(Date.now() / 1_000));
    const headers = {
      'webhook-id': 'm-1',
      'webhook-timestamp': seconds,
      'webhook-signature': `v1,AAAA v1a,BBBB ${sign(webhookSecret, 'm-1', seconds, body)}`,
    };
    expect(await post('/webhook', body, headers)).toMatchObject({ status: 200 });
  });
});

describe('what arrived', () => {
  test('is kept to a number, newest first, and counted in full', async () => {
    const records = Array.from({ length: 600 }, (_, at) => imported({ $insert_id: `a-${at}` }));
    await post('/import?strict=1', records);
    await post('/import?strict=1', [imported({ $insert_id: 'last' })]);
    const { counts, arrivals } = await received();
    expect(counts.mixpanel.accepted).toBe(601);
    expect(arrivals).toHaveLength(500);
    expect(arrivals[0]).toMatchObject({ id: 601, ids: { $insert_id: 'last' } });
    expect(arrivals.at(-1)).toMatchObject({ id: 102, ids: { $insert_id: 'a-101' } });
    expect(await get('/received/102')).toMatchObject({ status: 200, body: { id: 102 } });
    expect(await get('/received/101')).toMatchObject({ status: 404 });
  });

  test('is kept to a number of bytes', async () => {
    for (let at = 0; at < 10; at += 1) {
      const text = 'x'.repeat(1_000_000);
      await post('/import?strict=1', [imported({ $insert_id: `a-${at}`, text })]);
    }
    const { counts, arrivals } = await received();
    expect(counts.mixpanel.accepted).toBe(10);
    expect(arrivals).toHaveLength(8);
  });

  test('can be cleared', async () => {
    await post('/import?strict=1', [imported()]);
    expect((await fetch(`${url}/received`, { method: 'DELETE' })).status).toBe(204);
    expect(await received()).toEqual({
      counts: Object.fromEntries(
        partnerNames.map((name) => [name, { accepted: 0, duplicate: 0, rejected: 0 }]),
      ),
      arrivals: [],
    });
  });

  test('is told live', async () => {
    await post('/import?strict=1', [imported({ $insert_id: 'before' })]);
    const stream = (await fetch(`${url}/events/stream`)).body!.pipeThrough(new TextDecoderStream());
    const reader = stream.getReader();
    let heard = '';
    const hear = async (words: string): Promise<string> => {
      while (!heard.includes(words)) heard += (await reader.read()).value ?? '';
      return heard;
    };
    expect(await hear('\n\n')).toMatch(/^event: snapshot\ndata: .*before/);
    await post('/import?strict=1', [imported({ $insert_id: 'after' })]);
    expect(await hear('after')).toContain(
      'event: arrivals\ndata: {"counts":{"google-analytics-4":{"accepted":0',
    );
    heard = '';
    await fetch(`${url}/received`, { method: 'DELETE' });
    expect(await hear('\n\n')).toContain('"arrivals":[]');
    await close(); // ends the stream, too
    expect((await reader.read()).done).toBe(true);
  });
});

describe('the rest', () => {
  test('the page is whole in itself, and lets no other script in', async () => {
    const response = await fetch(url);
    const page = await response.text();
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toMatch(
      /default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+';/,
    );
    expect(page).not.toMatch(/(src|href)="?(https?:)?\/\//);
    expect(page).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
    expect(page).toContain('Nothing has arrived yet');
    for (const name of partnerNames) expect(page).toContain(`data-show="${name}"`);
    expect(page).toContain('http://127.0.0.1:3000/v1/track');
  });

  test('what it does not know it says', async () => {
    for (const [method, path] of [
      ['GET', '/import'],
      ['POST', '/track'],
      ['GET', '/webhooks'],
    ] as const) {
      const { status, body } = await answered(await fetch(url + path, { method }));
      expect(status).toBe(404);
      expect(body).toMatchObject({ error: `nobody here answers ${method} ${path}`, page: 'GET /' });
    }
  });

  test('a body too large for anybody', async () => {
    const tooLarge = post('/webhook', 'x'.repeat(17 * 1024 * 1024));
    // The connection may end before the answer is read.
    await expect(tooLarge.then(({ status }) => status).catch(() => 413)).resolves.toBe(413);
    expect(await post('/import?strict=1', [imported()])).toMatchObject({ status: 200 });
  });

  test('a port that is taken is named', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((listening) => other.once('listening', listening));
    const { port } = other.address() as { port: number };
    await expect(createSandbox({ host: '127.0.0.1', port, log })).rejects.toThrow(
      new UserError(
        `The partner sandbox cannot listen on 127.0.0.1:${port} (EADDRINUSE). ` +
          'Name another: sandbox.port in the configuration (SANDBOX_PORT with the demo), ' +
          'or --port of `distributary sandbox`.',
      ),
    );
    other.close();
  });
});
