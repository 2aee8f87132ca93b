import { Writable } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { basic, closeServers, post, serveApi } from './api-server.ts';

afterEach(closeServers);

const authorized = { Authorization: basic('website-key:') };
const event = { event: 'Paid', userId: 'u1' };

/** A log that is kept. */
const keptLog = () => {
  const lines: string[] = [];
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  return { lines, log: pino({ level: 'trace' }, stream) };
};

describe('CORS', () => {
  const origin = 'https://shop.example';

  test.each(['/v1/t', '/v1/batch/', '/v1/m', '/v1/projects/website-key/settings', '/v1/nothing'])(
    'preflight of %s',
    async (path) => {
      const { url } = await serveApi();
      const { status, headers } = await fetch(url + path, {
        method: 'OPTIONS',
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'authorization,content-type,x-retry-count,x-mine',
        },
      });
      expect(status).toBe(204);
      expect(Object.fromEntries(headers)).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-credentials': 'true',
        'access-control-allow-methods': expect.stringContaining('POST'),
        'access-control-allow-headers': 'authorization,content-type,x-retry-count,x-mine',
        'access-control-max-age': '7200',
        vary: expect.stringContaining('Origin'),
      });
    },
  );

  test.each([
    ['success', authorized, 200],
    ['refusal', {}, 401],
  ])('%s can be read by the page', async (_, headers, status) => {
    const { url } = await serveApi();
    const sent = { body: event, headers: { ...headers, Origin: origin } };
    const answer = await post(`${url}/v1/t`, sent);
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'Retry-After, X-RateLimit-Reset, Distributary-Batch',
    });
  });

  test('is for events alone', async () => {
    const { url } = await serveApi();
    const { headers } = await fetch(`${url}/health`, { headers: { Origin: origin } });
    expect(headers.get('Access-Control-Allow-Origin')).toBeNull();
  });
});

describe('settings', () => {
  const settings = (url: string, writeKey: string, headers = {}) =>
    fetch(`${url}/v1/projects/${writeKey}/settings`, { headers });

  test('what analytics.js needs to start, and to send here', async () => {
    const { url } = await serveApi();
    const response = await settings(url, 'app-key');
    expect(response.status).toBe(200);
    const { integrations, metrics } = (await response.json()) as Record<string, unknown>;
    expect(integrations).toEqual({
      'Segment.io': {
        apiKey: 'app-key',
        apiHost: `${url.replace('http://', '')}/v1`,
        protocol: 'http',
        versionSettings: { version: '4.4.7', componentTypes: ['browser'] },
      },
    });
    expect(metrics).toEqual({ sampleRate: 0 });
  });

  test('behind a proxy that ends TLS', async () => {
    const { url } = await serveApi();
    const response = await settings(url, 'app-key', { 'X-Forwarded-Proto': 'https' });
    expect(await response.json()).toMatchObject({
      integrations: { 'Segment.io': { protocol: 'https' } },
    });
  });

  test.each(['no', '__proto__', 'app-key%00'])("nobody's key %p", async (writeKey) => {
    const { url } = await serveApi();
    const response = await settings(url, writeKey, { Origin: 'https://shop.example' });
    expect(response.status).toBe(404);
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe('https://shop.example');
    expect(await response.json()).toEqual({
      code: 'unknown_source',
      message: 'No source has this write key',
    });
  });
});

test.each([
  ['POST', '/v1/nothing', 404, 'not_found', null],
  ['POST', '/v1', 404, 'not_found', null],
  ['GET', '/', 404, 'not_found', null],
  ['POST', '/track', 404, 'not_found', null],
  ['POST', '/v1/track/more', 404, 'not_found', null],
  ['GET', '/v1/track', 405, 'method_not_allowed', 'POST'],
  ['PUT', '/v1/b/', 405, 'method_not_allowed', 'POST'],
  ['DELETE', '/v1/m', 405, 'method_not_allowed', 'POST'],
  ['POST', '/v1/projects/app-key/settings', 405, 'method_not_allowed', 'GET, HEAD'],
  ['POST', '/health', 405, 'method_not_allowed', 'GET, HEAD'],
  ['GET', '/v1/projects/%E0%A4%A/settings', 400, 'bad_request', null],
])('%s %s: %i', async (method, path, status, code, allow) => {
  const { url } = await serveApi();
  const response = await fetch(url + path, { method });
  expect(response.status).toBe(status);
  expect(response.headers.get('Allow')).toBe(allow);
  expect(await response.json()).toEqual({ code, message: expect.any(String) });
});

test('answers say nothing of what made them', async () => {
  const { url } = await serveApi();
  const { headers } = await post(`${url}/v1/track`, { body: event, headers: authorized });
  expect([headers.get('X-Powered-By'), headers.get('ETag')]).toEqual([null, null]);
});

describe('health', () => {
  test.each([
    [{ ok: true, temporal: 'up' }, 200],
    [{ ok: false, temporal: 'down' }, 503],
  ])('%p', async (state, status) => {
    const { url } = await serveApi({ health: () => Promise.resolve(state) });
    const response = await fetch(`${url}/health`);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual(state);
  });
});

test('metrics name routes by their template, and nothing that a client made up', async () => {
  const { url } = await serveApi();
  await post(`${url}/v1/t/`, { body: event, headers: authorized });
  await post(`${url}/v1/track`, { body: event });
  await fetch(`${url}/v1/projects/app-key/settings`);
  await fetch(`${url}/v1/made-up`, { method: 'POST' });

  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('Content-Type')).toMatch(/^text\/plain; version=/);
  const text = await response.text();
  const count = (route: string, status: number): string =>
    `distributary_api_request_duration_seconds_count{route="${route}",status="${status}"} 1`;
  expect(text).toContain(count('/v1/track', 200));
  expect(text).toContain(count('/v1/track', 401));
  expect(text).toContain(count('/v1/projects/:writeKey/settings', 200));
  expect(text).toContain(count('other', 404));
  expect(text).not.toMatch(/made-up|app-key/);
});

test('an error that nobody foresaw: 500, and a log line without body or key', async () => {
  const { lines, log } = keptLog();
  const { url, coalescer } = await serveApi({ log });
  coalescer.fate = () => Promise.reject(new Error('out of luck'));
  const body = { ...event, properties: { card: '4111 1111' }, writeKey: 'website-key' };
  const answer = await post(`${url}/v1/track`, { body });
  expect(answer.body).toEqual({ code: 'internal', message: expect.any(String) });

  await post(`${url}/v1/track`, { body: '{"card": "4111 1111", ', headers: authorized });
  await post(`${url}/v1/track`, { body: { writeKey: 'wrong-key', card: '4111 1111' } });
  const text = lines.join('');
  expect(text).toContain('out of luck');
  expect(text).toContain('"route":"/v1/track"');
  expect(text).not.toMatch(/4111|website-key|wrong-key|d2Vic2l0ZS1rZXk/);
});
