import { createSecretKey, randomBytes } from 'node:crypto';
import { request, type IncomingHttpHeaders } from 'node:http';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Payload } from '@temporalio/common';
import type { CodecDeps } from '../../src/api/codec-routes.ts';
import type { Event } from '../../src/event.ts';
import { encodeEvents } from '../../src/temporal/events-encoding.ts';
import { createPayloadCodec } from '../../src/temporal/payload-codec.ts';
import { payloadConverter } from '../../src/temporal/payload-converter.ts';
import { trackEvent } from '../support/events.ts';
import { closeServers, now, serveApi } from './api-server.ts';

const token = 'an-operator-token-of-the-test';
const webUi = 'http://127.0.0.1:8233';
const keys = [{ id: 'k1', key: createSecretKey(randomBytes(32)) }];
const codec: CodecDeps = { keys, webUi: [webUi], token };
const tokenless: CodecDeps = { keys, webUi: [webUi] };

interface Asked {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: unknown;
}
interface Answered {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Asks as any program may, with headers that no browser lets a page set. */
const ask = (url: string, { method = 'POST', path, headers, body }: Asked = {}) =>
  new Promise<Answered>((resolve, reject) => {
    const sent = request(
      `${url}${path ?? '/codec/decode'}`,
      { method, ...(headers && { headers }) },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, text }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(typeof body === 'string' ? body : JSON.stringify(body ?? { payloads: [] }));
  });

const wire = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata!).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});
type Wire = ReturnType<typeof wire>;
const read = ({ metadata, data }: Wire): unknown => {
  expect(Buffer.from(metadata['encoding']!, 'base64').toString()).toBe('json/plain');
  return JSON.parse(Buffer.from(data, 'base64').toString());
};
const payloadsOf = ({ status, text }: Answered): Wire[] => {
  expect([status, text]).toEqual([200, expect.any(String)]);
  return (JSON.parse(text) as { payloads: Wire[] }).payloads;
};
const encoded = async (value: unknown): Promise<Wire> =>
  wire((await createPayloadCodec(keys).encode([payloadConverter.toPayload(value)]))[0]!);
const encodedEvents = async (events: readonly Event[]): Promise<Wire> => {
  const accepted = events.map((event) => ({ event, json: JSON.stringify(event) }));
  return wire(
    payloadConverter.toPayload(await encodeEvents([{ source: 'website', events: accepted }], keys)),
  );
};

let url: string;
beforeEach(async () => {
  ({ url } = await serveApi({ codec }));
});
afterEach(closeServers);

describe('decodes', () => {
  beforeEach(async () => {
    ({ url } = await serveApi({ codec: tokenless }));
  });

  test('what our codec made, the events as a list, and leaves what others made', async () => {
    const event = trackEvent();
    const plain = wire(payloadConverter.toPayload({ of: 'another' }));
    const payloads = [await encoded({ plan: 1 }), await encodedEvents([event]), plain];
    const answer = payloadsOf(await ask(url, { body: { payloads } }));
    expect(answer.slice(0, 2).map(read)).toEqual([{ plan: 1 }, [{ source: 'website', event }]]);
    expect(answer[2]).toEqual(plain);
  });

  test('no more events than a browser bears, and says how many are left out', async () => {
    const properties = { words: 'x'.repeat(1024 * 1024) };
    const events = Array.from({ length: 20 }, () => trackEvent({ properties }));
    const body = { payloads: [await encodedEvents(events)] };
    const shown = payloadsOf(await ask(url, { body })).map(read)[0] as unknown[];
    expect(shown.at(-1)).toEqual({ leftOut: 21 - shown.length });
    expect(shown.length).toBe(16);
  });

  test('what it has encoded itself', async () => {
    const plain = wire(payloadConverter.toPayload(['mixpanel']));
    const sealed = payloadsOf(
      await ask(url, { path: '/codec/encode', body: { payloads: [plain] } }),
    );
    expect(Buffer.from(sealed[0]!.metadata['encoding']!, 'base64').toString()).toBe(
      'binary/distributary',
    );
    expect(payloadsOf(await ask(url, { body: { payloads: sealed } }))).toEqual([plain]);
  });

  test('nothing without the key, and says which', async () => {
    const other = await serveApi({ codec: { keys: [], webUi: [] } });
    for (const payload of [await encoded('x'), await encodedEvents([trackEvent()])]) {
      const { status, text } = await ask(other.url, { body: { payloads: [payload] } });
      expect([status, JSON.parse(text)]).toEqual([
        422,
        { code: 'undecodable', message: expect.stringMatching(/the key "k1".*encryption\.keys/) },
      ]);
    }
  });

  test('no more than 64 MiB in all, however small the body', async () => {
    const large = await encoded('x'.repeat(20 * 1024 * 1024));
    const shown = await encodedEvents([trackEvent({ properties: { words: 'x'.repeat(2 ** 24) } })]);
    const plain = wire(payloadConverter.toPayload('of another'));
    expect(payloadsOf(await ask(url, { body: { payloads: [large, large, large] } }))).toHaveLength(
      3,
    );
    for (const payloads of [
      [plain, large, large, large, large],
      [shown, shown, shown, shown],
      [large, large, shown, plain, shown],
    ]) {
      const { status, text } = await ask(url, { body: { payloads } });
      expect([status, JSON.parse(text)]).toMatchObject([422, { code: 'decoded_too_large' }]);
    }
  });

  test.each([
    ['[]', 'invalid_payloads'],
    ['{"payloads":7}', 'invalid_payloads'],
    ['{"payloads":[7]}', 'invalid_payloads'],
    ['{"payloads":[{"metadata":{"encoding":7}}]}', 'invalid_payloads'],
    ['{"payloads":[', 'invalid_json'],
    [' '.repeat(8 * 1024 * 1024 + 1), 'request_too_large'],
  ])('no body that is none: %.40s', async (body, code) => {
    const { status, text } = await ask(url, { body });
    expect([status, JSON.parse(text)]).toMatchObject([400, { code }]);
  });
});

/** How a request is let in, or not: its status, and for whom a browser may show the answer. */
const fate = async (at: string, asked: Asked): Promise<unknown[]> => {
  const { status, headers } = await ask(at, asked);
  expect(headers['vary']).toContain('Origin');
  if (headers['access-control-allow-origin'] !== undefined) {
    expect(headers['access-control-allow-credentials']).toBe('true');
  }
  return [status, headers['access-control-allow-origin']];
};

describe('lets in', () => {
  const bearer = { Authorization: `Bearer ${token}` };
  const elsewhere = { 'X-Forwarded-For': '203.0.113.9' };

  const callers: [string, Record<string, string>, number, string?][] = [
    ['no program on this machine: a proxy may say nothing of itself', {}, 403],
    ['our Web UI on this machine', { Origin: webUi }, 200, webUi],
    ['no page of others', { Origin: 'https://evil.example' }, 403],
    ['no page of another port', { Origin: 'http://127.0.0.1:8234' }, 403],
    ['no page without an origin', { Origin: 'null' }, 403],
    ['no name that was made to resolve to loopback', { Host: 'evil.example' }, 403],
    ['nor one that only looks like it', { Host: '127.0.0.1.evil.example' }, 403],
    ['localhost', { Host: 'localhost:3000', Origin: webUi }, 200, webUi],
    ['IPv6', { Host: '[::1]:3000', Origin: webUi }, 200, webUi],
    ['nobody through a proxy', elsewhere, 403],
    ['nobody through one that says no more than', { Via: '1.1 proxy' }, 403],
    ['nobody who claims the origin', { ...elsewhere, Origin: webUi }, 403],
    ['the token', { ...elsewhere, ...bearer }, 200],
    [
      'the token, whatever page',
      { ...bearer, Origin: 'https://ui.example' },
      200,
      'https://ui.example',
    ],
    ['no other token', { ...elsewhere, Authorization: `Bearer ${token}x` }, 403],
    ['no part of it', { ...elsewhere, Authorization: `Bearer ${token.slice(1)}` }, 403],
    ['no other scheme', { ...elsewhere, Authorization: `Basic ${token}` }, 403],
    ['no empty token', { ...elsewhere, Authorization: 'Bearer ' }, 403],
  ];
  test.each(callers.map(([who, headers, status, origin]) => ({ who, headers, status, origin })))(
    '$who: $headers',
    async ({ headers, status, origin }) => {
      for (const path of ['/codec/decode', '/codec/encode', '/codec/decode/', '/CODEC/decode']) {
        expect(await fate(url, { path, headers })).toEqual([status, origin]);
      }
    },
  );

  test.each([
    ['programs on this machine', {}, 200],
    ['localhost', { Host: 'localhost:3000' }, 200],
    ['IPv6', { Host: '[::1]:3000' }, 200],
    ['no name that was made to resolve to loopback', { Host: 'evil.example' }, 403],
    ['no page of others', { Origin: 'https://evil.example' }, 403],
    ['nobody through a proxy', elsewhere, 403],
  ] as [string, Record<string, string>, number][])(
    'where there is no token: %s, %j',
    async (_, headers, status) => {
      const alone = await serveApi({ codec: tokenless });
      expect(await fate(alone.url, { headers })).toEqual([status, undefined]);
    },
  );

  test('nobody by another spelling of the path', async () => {
    for (const path of [
      '/codec/%64ecode',
      '//codec/decode',
      '/codec//decode',
      '/x/../codec/decode',
    ]) {
      const { status } = await ask(url, { path, headers: { Origin: 'https://evil.example' } });
      expect([path, [403, 404].includes(status)]).toEqual([path, true]);
    }
  });

  test('who asks beforehand: our Web UI, and others where a token may follow', async () => {
    const question = (origin: string): Asked => ({
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type,x-namespace',
      },
    });
    const alone = await serveApi({ codec: tokenless });
    const other = 'https://ui.example';
    expect(await fate(alone.url, question(webUi))).toEqual([204, webUi]);
    expect(await fate(alone.url, question(other))).toEqual([403, undefined]);
    expect(await fate(url, question(other))).toEqual([204, other]);
    const { headers } = await ask(url, question(webUi));
    expect(headers['access-control-allow-headers']).toBe('content-type,x-namespace');
    expect(headers['access-control-allow-methods']).toBe('POST');
  });

  test('nobody from elsewhere where there is no token, and says so', async () => {
    const alone = await serveApi({ codec: tokenless });
    for (const authorization of [`Bearer ${token}`, 'Bearer undefined', 'Bearer ']) {
      const headers = { ...elsewhere, Authorization: authorization };
      const { status, text } = await ask(alone.url, { headers });
      expect([status, text]).toEqual([403, expect.stringContaining('no operator.token')]);
    }
  });

  const [address] = Object.values(networkInterfaces())
    .flat()
    .filter((found) => found !== undefined && !found.internal && found.family === 'IPv4');
  (address === undefined ? test.skip : test)(
    'nobody whose connection is from another address, whatever the headers say',
    async () => {
      const { port } = await serveApi({ codec, host: '0.0.0.0' });
      const there = `http://${address!.address}:${port}`;
      const headers = { Host: '127.0.0.1', Origin: webUi };
      expect(await fate(there, { headers })).toEqual([403, undefined]);
      expect(await fate(`http://127.0.0.1:${port}`, { headers })).toEqual([200, webUi]);
    },
  );
});

describe('a session', () => {
  const ui = 'http://ui.example:8080';
  const elsewhere = { 'X-Forwarded-For': '203.0.113.9' };
  const logIn = (form: Record<string, string>, headers: Record<string, string> = {}) =>
    ask(url, { path: '/codec/session', headers, body: new URLSearchParams(form).toString() });
  const cookieOf = ({ headers }: Answered): string => headers['set-cookie']![0]!.split(';')[0]!;

  test('lets in the pages of one Web UI', async () => {
    const answer = await logIn({ token, origin: `${ui}/namespaces` }, elsewhere);
    expect(answer.status).toBe(200);
    const [cookie] = answer.headers['set-cookie']!;
    expect(cookie).toMatch(/; Path=\/codec; .*HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(token);
    const headers = { ...elsewhere, Cookie: `a=b; ${cookieOf(answer)}`, Origin: ui };
    expect(await fate(url, { headers })).toEqual([200, ui]);
    expect(await fate(url, { headers: { ...headers, Origin: webUi } })).toEqual([403, undefined]);
    const { Cookie } = headers;
    expect(await fate(url, { headers: { ...elsewhere, Cookie } })).toEqual([403, undefined]);
  });

  test('ends after twelve hours, and with its token', async () => {
    const Cookie = cookieOf(await logIn({ token, origin: ui }));
    const headers = { ...elsewhere, Cookie, Origin: ui };
    const hours = (count: number) => ({ codec, clock: () => now + count * 3_600_000 });
    const later = [await serveApi(hours(11.9)), await serveApi(hours(12.1))];
    const renewed = await serveApi({ codec: { ...codec, token: `${token}-2` } });
    const none = await serveApi({ codec: { keys, webUi: [] } });
    const fates = [];
    for (const at of [...later, renewed, none]) fates.push((await fate(at.url, { headers }))[0]);
    expect(fates).toEqual([200, 403, 403, 403]);
    const forged = Cookie.replace(/=\d+/, (expires) => `=${Number(expires.slice(1)) + 1}`);
    expect(await fate(url, { headers: { ...headers, Cookie: forged } })).toEqual([403, undefined]);
  });

  test('over TLS it may be asked for by a page of another site', async () => {
    const { headers } = await logIn({ token, origin: ui }, { 'X-Forwarded-Proto': 'https' });
    expect(headers['set-cookie']![0]).toMatch(/HttpOnly; Secure; SameSite=None$/);
  });

  test.each([
    [{ token: 'a-wrong-token-of-the-test', origin: ui }, 403],
    [{ token: '', origin: ui }, 403],
    [{ origin: ui }, 403],
    [{ token, origin: 'javascript:alert(1)' }, 400],
    [{ token, origin: '' }, 400],
  ] as [Record<string, string>, number][])('is not given for %j', async (form, status) => {
    const answer = await logIn(form);
    expect(answer.status).toBe(status);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.text).not.toContain(token);
  });

  test('is asked for on a page that loads nothing and is framed by nobody', async () => {
    const { status, headers, text } = await ask(url, { method: 'GET', path: '/codec/login' });
    expect(status).toBe(200);
    expect(headers['content-security-policy']).toMatch(
      /default-src 'none'.*frame-ancestors 'none'/,
    );
    expect(text).toContain('<form method="post" action="session">');
  });
});
