import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import { chunk } from '../src/activities/chunk.ts';
import type { PartnerRequest } from '../src/destinations/define.ts';
import { mixpanel } from '../src/destinations/mixpanel.ts';
import { sign, webhook } from '../src/destinations/webhook.ts';
import type { Event, JsonObject } from '../src/event.ts';
import { createLog } from '../src/log.ts';
import type { Arrival, Counts } from '../src/sandbox/arrivals.ts';
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
  body: (await response.json()) as JsonObject,
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

describe('Mixpanel', () => {
  test('takes all that our destination type sends', async () => {
    const settings = mixpanel.settings.parse({ projectToken: 'tok-3n' });
    const events = Object.values(eventBuilders).map((build) =>
      (build as (given: JsonObject) => Event)({ timestamp: new Date().toISOString() }),
    );
    const items = events.map((event, place) => ({
      place,
      item: (mixpanel.events[event.type] as (event: Event, settings: JsonObject) => unknown)(
        event,
        settings,
      ),
    }));
    for (const placed of chunk(mixpanel, items)) {
      const sent = placed.map(({ item }) => item);
      expect(await deliver(mixpanel.request(sent, settings, { time: 0 }))).toMatchObject({
        status: 200,
      });
    }
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
      counts: {
        mixpanel: { accepted: 0, duplicate: 0, rejected: 0 },
        webhook: { accepted: 0, duplicate: 0, rejected: 0 },
      },
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
      'event: arrivals\ndata: {"counts":{"mixpanel":{"accepted":2',
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
          'Set another sandbox.port, or SANDBOX_PORT with the demo configuration.',
      ),
    );
    other.close();
  });
});
