import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Event, TrackEvent } from '../../src/event.ts';
import { startPartner, type Partner, type Received } from '../support/partner.ts';
import { openRoad, type DestinationEntry, type Road } from '../support/road.ts';
import { identifyEvent, trackEvent } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';

let partner: Partner;
const roads: Road[] = [];

beforeAll(async () => {
  partner = await startPartner();
});
afterEach(async () => {
  await Promise.all(roads.splice(0).map((road) => road.close()));
  partner.received.length = 0;
  partner.script(() => ({ status: 200 }));
});
afterAll(() => partner.close());

const road = async (
  destinations: DestinationEntry[] = [hook()],
  sources?: string[],
): Promise<Road> => {
  const opened = await openRoad({ destinations, ...(sources && { sources }) });
  roads.push(opened);
  return opened;
};
const hook = (more: Record<string, unknown> = {}): DestinationEntry => ({
  name: 'hook',
  type: 'webhook',
  settings: { url: `${partner.url}/hook` },
  ...more,
});
const mixpanel = (more: Record<string, unknown> = {}): DestinationEntry => ({
  name: 'mixpanel',
  type: 'mixpanel',
  settings: { projectToken: 'project-token-1' },
  endpoint: partner.url,
  ...more,
});
const events = (count: number): TrackEvent[] =>
  Array.from({ length: count }, (_, n) => trackEvent({ messageId: `m-${n}` }));
const idOf = ({ headers }: Received): string => headers['webhook-id'] as string;
const timesReceived = (received: readonly Received[]): Record<string, number> => {
  const times: Record<string, number> = {};
  for (const request of received) times[idOf(request)] = (times[idOf(request)] ?? 0) + 1;
  return times;
};
const fastRetry = { firstDelay: '1s', maxDelay: '1s', giveUpAfter: '30s' };

test('delivers each event once, byte for byte as the type built it', async () => {
  const { start, receipts } = await road();
  const batch = await start(events(30));
  expect(await receipts(batch)).toMatchObject({
    events: 30,
    deliveries: {
      hook: { delivered: 30, rejected: 0, filtered: 0, rejections: [], attempts: [{ events: 30 }] },
    },
  });
  expect(timesReceived(partner.received)).toEqual(
    Object.fromEntries(events(30).map(({ messageId }) => [messageId, 1])),
  );
  const sent = partner.received.find((request) => idOf(request) === 'm-7')!;
  expect(JSON.parse(sent.body)).toEqual(trackEvent({ messageId: 'm-7' }));
});

test('rejects what the partner refuses, with its words, and tries it no second time', async () => {
  partner.script((request) =>
    idOf(request) === 'm-1' ? { status: 422, body: 'no such\nproduct' } : { status: 200 },
  );
  const { start, receipts } = await road();
  const { deliveries } = await receipts(await start(events(3)));
  expect(deliveries['hook']).toMatchObject({
    delivered: 2,
    rejected: 1,
    filtered: 0,
    rejections: [
      { reason: '422 no such product', count: 1, messageIds: ['m-1'], events: [[1, 2]] },
    ],
  });
  expect(partner.received).toHaveLength(3);
});

test('counts what a partner refuses of a request by index, and nothing else of it', async () => {
  partner.script(() => ({
    status: 400,
    body: JSON.stringify({
      code: 400,
      num_records_imported: 2,
      failed_records: [{ index: 1, field: 'properties.time', message: 'is too old' }],
    }),
  }));
  const { start, receipts } = await road([mixpanel()]);
  const { deliveries } = await receipts(await start(events(3)));
  expect(deliveries['mixpanel']).toMatchObject({ delivered: 2, rejected: 1 });
  expect(deliveries['mixpanel']!.rejections[0]).toMatchObject({ messageIds: ['m-1'] });
  expect(deliveries['mixpanel']!.rejections[0]!.reason).toMatch(/too old/);
  expect(partner.received).toHaveLength(1);
});

test('halves a request that the partner finds too large', async () => {
  partner.script(({ body }) =>
    (JSON.parse(body) as unknown[]).length > 2 ? { status: 413 } : { status: 200 },
  );
  const { start, receipts } = await road([mixpanel()]);
  const { deliveries } = await receipts(await start(events(5)));
  expect(deliveries['mixpanel']).toMatchObject({ delivered: 5, rejected: 0 });
});

test('an attempt after a failing one sends only the rest, what failed before comes last', async () => {
  let poisoned = true;
  partner.script((request) =>
    idOf(request) === 'm-0' && poisoned ? { status: 500, body: 'boom' } : { status: 200 },
  );
  const { start, receipts } = await road([hook({ retry: fastRetry })]);
  const batch = await start(events(20));
  await partner.until((received) => (timesReceived(received)['m-0'] ?? 0) >= 2);
  poisoned = false;
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 20 });
  const { 'm-0': zeroth, ...others } = timesReceived(partner.received);
  expect(zeroth).toBeGreaterThanOrEqual(3);
  expect(Object.values(others)).toEqual(Array.from({ length: 19 }, () => 1));
});

test('honours Retry-After, and sends nothing more to a partner that asked for a pause', async () => {
  let throttled = true;
  partner.script(() => {
    if (!throttled) return { status: 200 };
    throttled = false;
    return { status: 429, headers: { 'retry-after': '3' } };
  });
  const { start, receipts } = await road([mixpanel({ retry: fastRetry })]);
  const batch = await start(events(10));
  expect((await receipts(batch)).deliveries['mixpanel']).toMatchObject({ delivered: 10 });
  expect(partner.received).toHaveLength(2);
  expect(partner.received[1]!.at - partner.received[0]!.at).toBeGreaterThanOrEqual(3_000);
});

test.each([
  ['a broken connection', 'drop' as const],
  ['a 503', { status: 503 }],
  ['a 408', { status: 408 }],
])('tries again after %s, with the same idempotency key', async (_what, answer) => {
  let failures = 0;
  partner.script(() => (failures++ === 0 ? answer : { status: 200 }));
  const { start, receipts } = await road([hook({ retry: fastRetry })]);
  const batch = await start(events(1));
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 1 });
  expect(timesReceived(partner.received)).toEqual({ 'm-0': 2 });
});

test('gives up waiting for a partner that hangs, and delivers once it answers again', async () => {
  let hanging = true;
  partner.script(() => (hanging ? 'hang' : { status: 200 }));
  const { start, receipts } = await road([hook({ retry: fastRetry, timeout: '500ms' })]);
  const batch = await start(events(3));
  await partner.until((received) => received.length >= 4); // some event for a second time
  hanging = false;
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 3 });
});

test('a partner that rejects whatever is sent is asked no more for now, and loses no events', async () => {
  let wrong = true;
  const body = (): string => JSON.stringify({ request: randomUUID(), error: 'no such hook' });
  partner.script(() => (wrong ? { status: 404, body: body() } : { status: 200 }));
  const { start, receipts, checkpoint } = await road([hook({ retry: fastRetry })]);
  const batch = await start(events(100));
  await eventually(async () => {
    const [unsettled] = (await checkpoint(batch))?.unsettled ?? [];
    expect(unsettled?.reason).toMatch(/^rejects whatever is sent: 404 /);
    expect(unsettled!.attempts).toBeGreaterThanOrEqual(2);
  });
  expect(partner.received.length).toBeLessThan(20 + 16 + 10 * 16); // at most its lanes at a time
  wrong = false;
  const { hook: receipt } = (await receipts(batch)).deliveries;
  expect(receipt).toMatchObject({ delivered: 80, rejected: 20 });
});

test("one sender's events that are all rejected alike keep no other's from being delivered", async () => {
  const isBad = (request: Received): boolean => Number(idOf(request).slice(2)) < 50;
  partner.script((request) => (isBad(request) ? { status: 400, body: 'bad' } : { status: 200 }));
  const { start } = await road([hook({ retry: fastRetry })]);
  await start(events(100));
  await partner.until((received) => received.filter((each) => !isBad(each)).length === 50);
});

test.each([
  ['in different words', (id: string) => ({ status: 400, body: `${id} is bad` })],
  ['because they came before', () => ({ status: 409, body: 'known' })],
  [
    'while others are taken',
    (id: string) => (Number(id.slice(2)) % 4 === 0 ? { status: 200 } : { status: 400 }),
  ],
])('many events that are rejected %s are just that', async (_, answer) => {
  partner.script((request) => answer(idOf(request)));
  const { start, receipts } = await road();
  const { hook: receipt } = (await receipts(await start(events(60)))).deliveries;
  expect(receipt!.delivered + receipt!.rejected).toBe(60);
  expect(receipt!.rejected).toBeGreaterThan(40);
});

test('follows no redirect: it is a rejection', async () => {
  partner.script(({ path }) =>
    path === '/hook' ? { status: 302, headers: { location: '/elsewhere' } } : { status: 200 },
  );
  const { start, receipts } = await road();
  expect((await receipts(await start(events(1)))).deliveries['hook']).toMatchObject({
    rejected: 1,
  });
  expect(partner.received.map(({ path }) => path)).toEqual(['/hook']);
});

test('keeps to the rate that the configuration sets', async () => {
  const { start, receipts } = await road([hook({ rate: { perSecond: 10 } })]);
  const batch = await start(events(15));
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 15 });
  const times = partner.received.map(({ at }) => at);
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThanOrEqual(1_300);
});

test('several batches share a rate, and none of them stops the others', async () => {
  const { start, receipts } = await road([hook({ rate: { perSecond: 20 }, timeout: '1s' })]);
  // More lanes than the rate has turns within an attempt.
  const batches = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      start(Array.from({ length: 10 }, (__, m) => trackEvent({ messageId: `b${n}-${m}` }))),
    ),
  );
  for (const batch of batches) {
    expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 10 });
  }
  const times = partner.received.map(({ at }) => at);
  const seconds = (Math.max(...times) - Math.min(...times)) / 1_000;
  expect(partner.received).toHaveLength(120);
  expect(seconds).toBeGreaterThanOrEqual(5.5);
  expect(seconds).toBeLessThan(15);
});

test('a pause that one request was asked for holds, whatever the others are answered', async () => {
  partner.script((request, nth) =>
    nth >= 3
      ? { status: 200 }
      : idOf(request) === 'm-0'
        ? { status: 429, headers: { 'retry-after': '4' } }
        : { status: 500, afterMs: 100 },
  );
  const { start, receipts } = await road([hook({ retry: fastRetry })]);
  const batch = await start(events(3));
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 3 });
  const second = partner.received.slice(3).map(({ at }) => at - partner.received[0]!.at);
  expect(Math.min(...second)).toBeGreaterThanOrEqual(3_900);
});

test('a drain does not wait for the turns of a slow rate', async () => {
  const opened = await road([hook({ rate: { perSecond: 1 } })]);
  await opened.start(events(20));
  await partner.until((received) => received.length >= 1);
  const began = Date.now();
  await opened.restartWorkers();
  expect(Date.now() - began).toBeLessThan(5_000);
});

test('a worker that is drained hands over; another sends the rest, and nothing twice', async () => {
  partner.script((_request, nth) => ({ status: 200, afterMs: nth < 40 ? 20 : 0 }));
  const opened = await road([hook({ rate: { perSecond: 40 } })]);
  const batch = await opened.start(events(100));
  await partner.until((received) => received.length >= 20);
  await opened.restartWorkers();
  expect((await opened.receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 100 });
  expect(Object.values(timesReceived(partner.received))).toEqual(
    Array.from({ length: 100 }, () => 1),
  );
});

test('sends each source by its own connection, and one that fails holds no other up', async () => {
  let broken = true;
  partner.script(({ path }) =>
    path === '/own' && broken ? { status: 500, body: 'down' } : { status: 200 },
  );
  const opened = await road(
    [
      hook({
        retry: fastRetry,
        connections: { b: { settings: { url: `${partner.url}/own` }, events: ['track'] } },
      }),
    ],
    ['a', 'b'],
  );
  const own = (n: number): Event => trackEvent({ messageId: `own-${n}` });
  const batch = await opened.startOf([
    { source: 'a', events: events(3) },
    { source: 'b', events: [own(0), own(1)] },
  ]);
  await partner.until((received) => received.filter(({ path }) => path === '/hook').length === 3);
  broken = false;
  expect((await opened.receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 5 });
  const own0 = partner.received.filter((request) => idOf(request) === 'own-0');
  expect(new Set(own0.map(({ path }) => path))).toEqual(new Set(['/own']));
});

test('no secret is in a reason, whatever form the partner sends it back in', async () => {
  partner.script(({ headers }) => ({
    status: 422,
    body: `bad token project-token-1, header ${headers.authorization ?? 'none'}`,
  }));
  const { start, receipts } = await road([mixpanel()]);
  const { deliveries } = await receipts(await start(events(1)));
  const words = JSON.stringify(deliveries);
  expect(words).toContain('***');
  expect(words).not.toContain('project-token-1');
  expect(words).not.toContain(Buffer.from('project-token-1:').toString('base64'));
});

const past = async (destination: DestinationEntry, count = 1) => {
  const { start, receipts } = await road([destination]);
  const { deliveries } = await receipts(await start(events(count)));
  return Object.values(deliveries)[0]!.attempts!.map(({ status, received, events: sent }) => ({
    status,
    received,
    events: sent,
  }));
};

test('each attempt says whether the partner may have the events', async () => {
  const answers = [{ status: 503 }, 'drop' as const, { status: 429 }, { status: 200 }];
  partner.script(() => answers.shift() ?? { status: 200 });
  expect(await past(hook({ retry: fastRetry }))).toEqual([
    { status: 503, received: 'maybe', events: 1 },
    { status: 'broken', received: 'maybe', events: 1 },
    { status: 429, received: 'no', events: 1 },
    { status: 200, received: 'yes', events: 1 },
  ]);
});

test('an attempt that could not connect says that the partner has nothing', async () => {
  const { url, close } = await startPartner();
  await close();
  const { start, checkpoint } = await road([hook({ settings: { url: `${url}/hook` } })]);
  const batch = await start(events(2));
  await eventually(async () =>
    expect((await checkpoint(batch))?.unsettled[0]?.past?.[0]).toMatchObject({
      status: 'unreachable',
      received: 'no',
      reason: 'could not connect (ECONNREFUSED)',
    }),
  );
});

test('while an attempt is under way its checkpoint says that the worker may end in its middle', async () => {
  let isSilent = true;
  partner.script(() => (isSilent ? 'hang' : { status: 200 }));
  const { start, checkpoint, receipts } = await road([hook({ timeout: '3s', retry: fastRetry })]);
  const batch = await start(events(1));
  await eventually(async () =>
    expect((await checkpoint(batch))?.unsettled[0]?.past).toMatchObject([
      { status: 'lost', received: 'maybe', events: 1 },
    ]),
  );
  isSilent = false;
  const { deliveries } = await receipts(batch);
  expect(deliveries['hook']!.attempts).toMatchObject([
    { status: 'silent', received: 'maybe' },
    { status: 200, received: 'yes' },
  ]);
});

test('filtered events are counted by the rule that keeps them away', async () => {
  const { startOf, receipts } = await road(
    [hook({ events: ['track'], sources: ['a'] })],
    ['a', 'b'],
  );
  const batch = await startOf([
    {
      source: 'a',
      events: [
        trackEvent({ integrations: { All: false } }),
        identifyEvent({}),
        trackEvent({ messageId: 'm' }),
      ],
    },
    { source: 'b', events: [trackEvent({})] },
  ]);
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({
    delivered: 1,
    filtered: 3,
    filters: [
      { rule: 'integrations', count: 1, events: [[0, 1]] },
      { rule: 'type', count: 1, events: [[1, 2]] },
      { rule: 'source', count: 1, events: [[3, 4]] },
    ],
  });
});

test('when a partner comes back, what waits for it goes within seconds, whatever its delay', async () => {
  let isDown = true;
  partner.script(() => (isDown ? { status: 503 } : { status: 200 }));
  const slow = { firstDelay: '1h', maxDelay: '1h' };
  const { start, receipts } = await road([hook({ retry: slow })]);
  const batches = await Promise.all([start(events(1)), start(events(1)), start(events(1))]);
  await partner.until((received) => received.length >= 1);
  isDown = false;
  for (const batch of batches) {
    expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 1 });
  }
});
