import { gzipSync, brotliCompressSync, deflateSync } from 'node:zlib';
import { Analytics } from '@segment/analytics-node';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Overloaded } from '../../src/api/coalescer.ts';
import { BatchTooLarge } from '../../src/api/start-batch.ts';
import { basic, closeServers, post, serveApi, type Sent } from './api-server.ts';
import { clientRequests } from './clients.ts';

afterEach(closeServers);

const authorized = { Authorization: basic('website-key:') };
const event = (given: object = {}) => ({ type: 'track', event: 'Paid', userId: 'u1', ...given });

describe('takes what real clients send', () => {
  test.each(clientRequests.map((request) => [request.client, request] as const))(
    '%s',
    async (_, { path, arrives, ...sent }) => {
      const { url, coalescer } = await serveApi();
      const answer = await post(url + path, sent);
      expect(answer).toMatchObject({ status: 200, body: { success: true } });
      expect(Object.keys(answer.body as object)).toEqual(['success']);
      expect(answer.headers.get('Distributary-Batch')).toBe('batch-1');
      expect(answer.headers.get('Content-Type')).toContain('application/json');
      expect(coalescer.taken.map(({ source }) => source)).toEqual(['website']);
      expect(coalescer.events()).toMatchObject(arrives);
      expect(JSON.stringify(coalescer.events())).not.toContain('website-key');
    },
  );

  test.each([
    ['track', 't', { event: 'e' }],
    ['identify', 'i', {}],
    ['page', 'p', {}],
    ['screen', 's', {}],
    ['group', 'g', { groupId: 'g' }],
    ['alias', 'a', { previousId: 'p' }],
  ])('/v1/%s and /v1/%s, with and without a slash', async (long, short, given) => {
    const { url, coalescer } = await serveApi();
    for (const path of [long, short, `${long}/`, `${short}/`]) {
      const sent = { body: { userId: 'u', ...given }, headers: authorized };
      expect((await post(`${url}/v1/${path}`, sent)).status).toBe(200);
    }
    expect(coalescer.events().map(({ type }) => type)).toEqual([long, long, long, long]);
  });

  test.each(['batch', 'b', 'import', 'batch/', 'b/', 'import/'])('/v1/%s', async (path) => {
    const { url, coalescer } = await serveApi();
    const body = { batch: [event(), { type: 'identify', userId: 'u' }] };
    expect((await post(`${url}/v1/${path}`, { body, headers: authorized })).status).toBe(200);
    expect(coalescer.events().map(({ type }) => type)).toEqual(['track', 'identify']);
  });

  test.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['identity', (body: string) => body],
    ['', (body: string) => `\ufeff${body}`],
  ])('Content-Encoding %p', async (encoding, encode) => {
    const { url, coalescer } = await serveApi();
    const body = encode(JSON.stringify(event({ event: 'Größe 📏' })));
    const headers = { ...authorized, ...(encoding !== '' && { 'Content-Encoding': encoding }) };
    expect(await post(`${url}/v1/track`, { body, headers })).toMatchObject({ status: 200 });
    expect(coalescer.events()).toMatchObject([{ event: 'Größe 📏' }]);
  });

  test('/v1/m is answered, and dropped', async () => {
    const { url, coalescer } = await serveApi();
    const body = { series: [{ type: 'Counter', metric: 'x', value: 1, tags: {} }] };
    expect(await post(`${url}/v1/m`, { body })).toMatchObject({
      status: 200,
      body: { success: true },
    });
    expect(coalescer.taken).toEqual([]);
  });

  test('2,500 events of one request, in their order', async () => {
    const { url, coalescer } = await serveApi();
    const ids = Array.from({ length: 2_500 }, (_, n) => `m-${n}`);
    const batch = ids.map((messageId) => event({ messageId }));
    expect((await post(`${url}/v1/batch`, { body: { batch }, headers: authorized })).status).toBe(
      200,
    );
    expect(coalescer.events().map(({ messageId }) => messageId)).toEqual(ids);
  });
});

test('@segment/analytics-node itself', async () => {
  const { url, coalescer } = await serveApi();
  const analytics = new Analytics({ writeKey: 'website-key', host: url });
  const failed: unknown[] = [];
  analytics.on('error', (error) => failed.push(error));
  const userId = 'u1';
  analytics.track({ userId, event: 'Paid', properties: { price: 7 } });
  analytics.identify({ userId, traits: { plan: 'plus' } });
  analytics.page({ userId, name: 'Home', category: 'Docs' });
  analytics.screen({ userId, name: 'Main' });
  analytics.group({ userId, groupId: 'acme' });
  analytics.alias({ userId, previousId: 'a1' });
  await analytics.closeAndFlush();
  expect(failed).toEqual([]);
  expect(coalescer.events()).toMatchObject([
    { type: 'track', event: 'Paid', properties: { price: 7 } },
    { type: 'identify', traits: { plan: 'plus' } },
    { type: 'page', name: 'Home', category: 'Docs' },
    { type: 'screen', name: 'Main' },
    { type: 'group', groupId: 'acme' },
    { type: 'alias', previousId: 'a1' },
  ]);
});

describe('write keys', () => {
  const batchOf = (...keys: (string | undefined)[]) => ({
    batch: keys.map((writeKey) => event({ writeKey })),
  });

  test.each<[string, string, Sent, string]>([
    ['in the header alone', 'track', { body: event(), headers: authorized }, 'website'],
    ['in the body alone', 'track', { body: event({ writeKey: 'app-key' }) }, 'app'],
    ['in the batch', 'batch', { body: { ...batchOf(undefined), writeKey: 'app-key' } }, 'app'],
    ['in the events', 'batch', { body: batchOf('app-key', 'app-key') }, 'app'],
    [
      'header before body',
      'track',
      { body: event({ writeKey: 'app-key' }), headers: authorized },
      'website',
    ],
    [
      'header before event',
      'batch',
      { body: batchOf('app-key', undefined), headers: authorized },
      'website',
    ],
    [
      'batch before event',
      'batch',
      { body: { ...batchOf('website-key'), writeKey: 'app-key' } },
      'app',
    ],
    [
      'in the body, where the header is Bearer',
      'track',
      { body: event({ writeKey: 'app-key' }), headers: { Authorization: 'Bearer token' } },
      'app',
    ],
    [
      'with a password, which means nothing',
      'track',
      { body: event(), headers: { Authorization: basic('app-key:secret:x') } },
      'app',
    ],
    [
      'the scheme in small letters',
      'track',
      { body: event(), headers: { Authorization: basic('app-key:').replace('Basic', 'basic') } },
      'app',
    ],
  ])('%s', async (_, path, sent, source) => {
    const { url, coalescer } = await serveApi();
    const answer = await post(`${url}/v1/${path}`, sent);
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.body).toEqual({ success: true });
    expect(coalescer.taken.map((batch) => batch.source)).toEqual([source]);
  });

  test.each<[string, string, Sent, string]>([
    ['none', 'track', { body: event() }, 'no_write_key'],
    ['none in a batch', 'batch', { body: batchOf(undefined) }, 'no_write_key'],
    ['a number', 'track', { body: event({ writeKey: 7 }) }, 'no_write_key'],
    ['empty', 'track', { body: event({ writeKey: '' }) }, 'no_write_key'],
    [
      'an empty header',
      'track',
      { body: event(), headers: { Authorization: basic(':') } },
      'no_write_key',
    ],
    ['wrong in the body', 'track', { body: event({ writeKey: 'no' }) }, 'invalid_write_key'],
    [
      "a property of every object's",
      'track',
      { body: event({ writeKey: '__proto__' }) },
      'invalid_write_key',
    ],
    [
      'wrong in the header, right in the body',
      'track',
      { body: event({ writeKey: 'app-key' }), headers: { Authorization: basic('no:') } },
      'invalid_write_key',
    ],
    [
      'not base64',
      'track',
      { body: event(), headers: { Authorization: 'Basic äöü*' } },
      'no_write_key',
    ],
    [
      'wrong, and the body is no JSON: nothing more is told',
      'track',
      { body: '{', headers: { Authorization: basic('no:') } },
      'invalid_write_key',
    ],
  ])('%s: 401', async (_, path, sent, code) => {
    const { url, coalescer } = await serveApi();
    expect(await post(`${url}/v1/${path}`, sent)).toMatchObject({ status: 401, body: { code } });
    expect(coalescer.taken).toEqual([]);
  });

  test("events that name another source are not the first's", async () => {
    const { url, coalescer } = await serveApi();
    const answer = await post(`${url}/v1/b`, {
      body: batchOf('website-key', 'app-key', undefined, 'website-key'),
    });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        success: true,
        rejected: [
          { index: 1, code: 'invalid_write_key' },
          { index: 2, code: 'invalid_write_key' },
        ],
      },
    });
    expect(coalescer.taken).toMatchObject([{ source: 'website', events: [{}, {}] }]);
  });
});

describe('refuses, and changes nothing', () => {
  const text = (body: string | Uint8Array, headers = {}): Sent => ({
    body,
    headers: { ...authorized, ...headers },
  });
  const gzip = { 'Content-Encoding': 'gzip' };
  const zipped = gzipSync(JSON.stringify(event()));
  const huge = { properties: { text: 'x'.repeat(1024 * 1024) } };
  const many = Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [`k${n}`, n]));
  const wide = { properties: { text: 'é'.repeat(16 * 1024) } };

  test.each<[string, string, Sent, number, string]>([
    ['nothing', 'track', text(''), 400, 'invalid_json'],
    ['half a JSON', 'track', text('{"event":'), 400, 'invalid_json'],
    ['a form', 'track', text('event=Paid&userId=u1'), 400, 'invalid_json'],
    ['text', 'track', text('"Paid"'), 400, 'invalid_body'],
    ['null', 'batch', text('null'), 400, 'invalid_body'],
    ['a list of events', 'batch', text(JSON.stringify([event()])), 400, 'invalid_body'],
    ['an event for a batch', 'batch', text(JSON.stringify(event())), 400, 'invalid_body'],
    ['a batch that is no list', 'batch', text('{"batch":{"0":{}}}'), 400, 'invalid_body'],
    ['a context that is none', 'b', text('{"batch":[{}],"context":"x"}'), 400, 'invalid_body'],
    ['an empty batch', 'import', text('{"batch":[]}'), 400, 'empty_batch'],
    [
      'a context of 101 levels',
      'batch',
      text(`{"batch":[{}],"context":${'{"a":'.repeat(101)}1${'}'.repeat(101)}}`),
      400,
      'event_too_deep',
    ],
    [
      'half a million levels',
      'track',
      text(`{"event":${'['.repeat(500_000)}${']'.repeat(500_000)}}`),
      400,
      'event_too_deep',
    ],
    [
      '2,501 events',
      'batch',
      text(JSON.stringify({ batch: Array.from({ length: 2_501 }, () => event()) })),
      400,
      'too_many_events',
    ],
    ['a megabyte and more', 'track', text(JSON.stringify(event(huge))), 400, 'request_too_large'],
    ['ten megabytes', 'track', text('x'.repeat(10 * 1024 * 1024)), 400, 'request_too_large'],
    ['33 KB, of umlauts', 'track', text(JSON.stringify(event(wide))), 400, 'event_too_large'],
    [
      '10,001 properties',
      'track',
      text(JSON.stringify(event({ properties: many }))),
      400,
      'event_too_large',
    ],
    ['latin-1', 'track', text(Buffer.from('{"event":"é"}', 'latin1')), 400, 'invalid_utf8'],
    ['UTF-16', 'track', text(Buffer.from('{"event":"e"}', 'utf16le')), 400, 'invalid_json'],
    ['gzip that is none', 'track', text('{}', gzip), 400, 'invalid_compression'],
    ['gzip of nothing', 'track', text('', gzip), 400, 'invalid_compression'],
    ['gzip cut short', 'track', text(zipped.subarray(0, -9), gzip), 400, 'invalid_compression'],
    ['gzip that is not said', 'track', text(zipped), 400, 'invalid_utf8'],
    [
      'a bomb of 100 MB',
      'track',
      text(gzipSync(Buffer.alloc(100 * 1024 * 1024, 0x20)), gzip),
      400,
      'request_too_large',
    ],
    [
      'a bomb of brotli',
      'track',
      text(brotliCompressSync(Buffer.alloc(20 * 1024 * 1024, 0x20)), { 'Content-Encoding': 'br' }),
      400,
      'request_too_large',
    ],
    [
      'gzip twice',
      'track',
      text(zipped, { 'Content-Encoding': 'gzip, gzip' }),
      415,
      'unsupported_encoding',
    ],
    [
      "an encoding with an object's name",
      'track',
      text('{}', { 'Content-Encoding': 'constructor' }),
      415,
      'unsupported_encoding',
    ],
    ['an event without user', 'track', text('{"event":"e"}'), 400, 'no_user_anon_id'],
    ['a track without event', 'track', text('{"userId":"u"}'), 400, 'invalid_event'],
  ])('%s', async (_, path, sent, status, code) => {
    const { url, coalescer } = await serveApi();
    const answer = await post(`${url}/v1/${path}`, sent);
    expect(answer).toMatchObject({ status, body: { code, message: expect.any(String) } });
    expect(answer.headers.get('Distributary-Batch')).toBeNull();
    expect(coalescer.taken).toEqual([]);
    // The server is none the worse for it.
    expect((await post(`${url}/v1/track`, { body: event(), headers: authorized })).status).toBe(
      200,
    );
  });

  test('a context that, merged into every event, makes megabytes: at the first too many', async () => {
    let normalised = 0;
    const newId = () => `given-${++normalised}`;
    const { url, coalescer } = await serveApi({ newId });
    const context = Object.fromEntries(
      Array.from({ length: 3_000 }, (_, n) => [`key-${n}`, 'value']),
    );
    const batch = Array.from({ length: 2_500 }, () => event({ context: {} }));
    const answer = await post(`${url}/v1/batch`, { body: { batch, context }, headers: authorized });
    expect(answer).toMatchObject({ status: 400, body: { code: 'request_too_large' } });
    expect(coalescer.taken).toEqual([]);
    expect(normalised).toBeLessThan(100);
  });

  test('where JSON ends is told, what it holds is not', async () => {
    const { url } = await serveApi();
    const { body } = await post(`${url}/v1/track`, text('{"secret": "abc'));
    expect(body).toEqual({
      code: 'invalid_json',
      message: 'The body is not JSON (at position 15)',
    });
  });
});

describe('a batch with bad events', () => {
  const good = (messageId: string) => event({ messageId });

  test('the good are taken, the bad are told', async () => {
    const { url, coalescer, metrics } = await serveApi();
    const batch = [
      good('a'),
      null,
      { type: 'merge', userId: 'u' },
      good('b'),
      { type: 'track', event: 'e' },
      event({ properties: { text: 'x'.repeat(33_000) } }),
    ];
    const answer = await post(`${url}/v1/batch`, { body: { batch }, headers: authorized });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        success: true,
        rejected: [
          { index: 1, code: 'invalid_event' },
          {
            index: 2,
            code: 'invalid_event',
            message: 'type: must be one of track, identify, page, screen, group, alias',
          },
          { index: 4, code: 'no_user_anon_id' },
          { index: 5, code: 'event_too_large' },
        ],
      },
    });
    expect(coalescer.events().map(({ messageId }) => messageId)).toEqual(['a', 'b']);
    const { body } = await metrics.expose();
    expect(body).toContain('distributary_api_events_accepted_total 2');
    expect(body).toContain('distributary_api_events_rejected_total{code="invalid_event"} 2');
  });

  test('all bad: 400, and each is told', async () => {
    const { url, coalescer } = await serveApi();
    const answer = await post(`${url}/v1/batch`, {
      body: { batch: [{ type: 'track', event: 'e' }, 7] },
      headers: authorized,
    });
    expect(answer).toMatchObject({
      status: 400,
      body: {
        code: 'no_user_anon_id',
        message: 'Every event was refused; the first: The event needs a userId or an anonymousId',
        rejected: [
          { index: 0, code: 'no_user_anon_id' },
          { index: 1, code: 'invalid_event' },
        ],
      },
    });
    expect(coalescer.taken).toEqual([]);
  });

  test('eight events of 100 KB, as analytics-node sends them', async () => {
    const { url } = await serveApi();
    const big = event({ properties: { text: 'x'.repeat(100_000) } });
    const answer = await post(`${url}/v1/batch`, {
      body: { batch: Array.from({ length: 8 }, () => big) },
      headers: authorized,
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'event_too_large' } });
    expect(answer.body.rejected).toHaveLength(8);
  });
});

describe('repeats', () => {
  const send = (url: string, ...ids: string[]) =>
    post(`${url}/v1/batch`, {
      body: { batch: ids.map((messageId) => event({ messageId })) },
      headers: authorized,
    });

  test('are answered 200 and not taken twice', async () => {
    const { url, coalescer, metrics } = await serveApi();
    await send(url, 'a', 'b', 'a');
    const again = await send(url, 'b', 'a');
    expect(again).toMatchObject({ status: 200, body: { success: true } });
    expect(again.headers.get('Distributary-Batch')).toBeNull();
    const more = await send(url, 'b', 'c');
    expect(more.headers.get('Distributary-Batch')).toBe('batch-2');
    expect(coalescer.events().map(({ messageId }) => messageId)).toEqual(['a', 'b', 'c']);
    expect((await metrics.expose()).body).toContain('distributary_api_events_duplicate_total 4');
  });

  test('of what is on its way share its fate', async () => {
    const { url, coalescer } = await serveApi();
    let decide: (fate: Promise<string>) => void = () => undefined;
    const submitted = new Promise<void>((called) => {
      coalescer.fate = () => {
        called();
        return new Promise((resolve) => (decide = resolve));
      };
    });
    const first = send(url, 'a');
    await submitted;
    const repeat = send(url, 'a');
    await expect(Promise.race([first, repeat, send(url)])).resolves.toMatchObject({ status: 400 });
    decide(Promise.reject(new Overloaded(503, 'later', 2.2)));
    for (const answer of [await first, await repeat]) {
      expect(answer).toMatchObject({
        status: 503,
        body: { code: 'overloaded', message: 'later' },
      });
      expect(answer.headers.get('Retry-After')).toBe('3');
    }
    coalescer.fate = () => Promise.resolve('batch-9');
    const next = await send(url, 'a');
    expect(next.headers.get('Distributary-Batch')).toBe('batch-9');
    expect(coalescer.events()).toHaveLength(1);
  });

  test('of another source are none', async () => {
    const { url, coalescer } = await serveApi();
    await send(url, 'a');
    const body = event({ messageId: 'a', writeKey: 'app-key' });
    await post(`${url}/v1/track`, { body });
    expect(coalescer.taken.map(({ source }) => source)).toEqual(['website', 'app']);
  });
});

describe('when events cannot be kept', () => {
  test.each([
    ['more than its share', new Overloaded(429, 'slower', 0), 429, 'rate_limited', '1'],
    ['Temporal is away', new Overloaded(503, 'later', 7), 503, 'overloaded', '7'],
    ['too large, compressed', new BatchTooLarge('2000000 bytes'), 400, 'request_too_large', null],
    ['a bug', new Error('connect ECONNREFUSED 10.0.0.1'), 500, 'internal', null],
  ])('%s', async (_, error, status, code, retryAfter) => {
    const { url, coalescer } = await serveApi();
    coalescer.fate = () => Promise.reject(error);
    const sent = { body: event({ messageId: 'a' }), headers: authorized };
    const answer = await post(`${url}/v1/track`, sent);
    expect(answer).toMatchObject({ status, body: { code, message: expect.any(String) } });
    expect(answer.headers.get('Retry-After')).toBe(retryAfter);
    expect(answer.headers.get('X-RateLimit-Reset')).toBe(status === 429 ? retryAfter : null);
    expect(JSON.stringify(answer.body)).not.toContain('10.0.0.1');

    coalescer.fate = () => Promise.resolve('batch-1');
    expect(await post(`${url}/v1/track`, sent)).toMatchObject({ status: 200 });
    expect(coalescer.events()).toHaveLength(1);
  });
});
