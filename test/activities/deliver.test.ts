import { expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Event } from '../../src/event.ts';
import { eventually } from '../support/eventually.ts';
import { identifyEvent, trackEvent, trackEvents } from '../support/events.ts';
import { idOf, startPartner, timesReceived, type Received } from '../support/partner.ts';
import { fastRetry, partneredRoads } from '../support/partnered-roads.ts';
import type { DestinationEntry } from '../support/road.ts';

const { partner, open, hook, mixpanel } = partneredRoads();

test('delivers each event once, byte for byte as the type built it', async () => {
  const { start, receipts } = await open();
  const batch = await start(trackEvents(30));
  expect(await receipts(batch)).toMatchObject({
    events: 30,
    deliveries: {
      hook: { delivered: 30, rejected: 0, filtered: 0, rejections: [], attempts: [{ events: 30 }] },
    },
  });
  expect(timesReceived(partner.received)).toEqual(
    Object.fromEntries(trackEvents(30).map(({ messageId }) => [messageId, 1])),
  );
  const sent = partner.received.find((request) => idOf(request) === 'm-7')!;
  expect(JSON.parse(sent.body)).toEqual(trackEvent({ messageId: 'm-7' }));
});

test('rejects what the partner refuses, with its words, and tries it no second time', async () => {
  partner.script((request) =>
    idOf(request) === 'm-1' ? { status: 422, body: 'no such\nproduct' } : { status: 200 },
  );
  const { start, receipts } = await open();
  const { deliveries } = await receipts(await start(trackEvents(3)));
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
  const { start, receipts } = await open([mixpanel()]);
  const { deliveries } = await receipts(await start(trackEvents(3)));
  expect(deliveries['mixpanel']).toMatchObject({ delivered: 2, rejected: 1 });
  expect(deliveries['mixpanel']!.rejections[0]).toMatchObject({ messageIds: ['m-1'] });
  expect(deliveries['mixpanel']!.rejections[0]!.reason).toMatch(/too old/);
  expect(partner.received).toHaveLength(1);
});

test('halves a request that the partner finds too large', async () => {
  partner.script(({ body }) =>
    (JSON.parse(body) as unknown[]).length > 2 ? { status: 413 } : { status: 200 },
  );
  const { start, receipts } = await open([mixpanel()]);
  const { deliveries } = await receipts(await start(trackEvents(5)));
  expect(deliveries['mixpanel']).toMatchObject({ delivered: 5, rejected: 0 });
});

test('a partner that rejects whatever is sent is asked no more for now, and loses no events', async () => {
  let wrong = true;
  const body = (): string => JSON.stringify({ request: randomUUID(), error: 'no such hook' });
  partner.script(() => (wrong ? { status: 404, body: body() } : { status: 200 }));
  const { start, receipts, checkpoint } = await open([hook('hook', { retry: fastRetry })]);
  const batch = await start(trackEvents(100));
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
  const { start } = await open([hook('hook', { retry: fastRetry })]);
  await start(trackEvents(100));
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
  const { start, receipts } = await open();
  const { hook: receipt } = (await receipts(await start(trackEvents(60)))).deliveries;
  expect(receipt!.delivered + receipt!.rejected).toBe(60);
  expect(receipt!.rejected).toBeGreaterThan(40);
});

test('follows no redirect: it is a rejection', async () => {
  partner.script(({ path }) =>
    path === '/hook' ? { status: 302, headers: { location: '/elsewhere' } } : { status: 200 },
  );
  const { start, receipts } = await open();
  expect((await receipts(await start(trackEvents(1)))).deliveries['hook']).toMatchObject({
    rejected: 1,
  });
  expect(partner.received.map(({ path }) => path)).toEqual(['/hook']);
});

test('sends each source by its own connection, and one that fails holds no other up', async () => {
  let broken = true;
  partner.script(({ path }) =>
    path === '/own' && broken ? { status: 500, body: 'down' } : { status: 200 },
  );
  const opened = await open(
    [
      hook('hook', {
        retry: fastRetry,
        connections: { b: { settings: { url: `${partner.url}/own` }, events: ['track'] } },
      }),
    ],
    { sources: ['a', 'b'] },
  );
  const own = (n: number): Event => trackEvent({ messageId: `own-${n}` });
  const batch = await opened.startOf([
    { source: 'a', events: trackEvents(3) },
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
  const { start, receipts } = await open([mixpanel()]);
  const { deliveries } = await receipts(await start(trackEvents(1)));
  const words = JSON.stringify(deliveries);
  expect(words).toContain('***');
  expect(words).not.toContain('project-token-1');
  expect(words).not.toContain(Buffer.from('project-token-1:').toString('base64'));
});

const past = async (destination: DestinationEntry, count = 1) => {
  const { start, receipts } = await open([destination]);
  const { deliveries } = await receipts(await start(trackEvents(count)));
  return Object.values(deliveries)[0]!.attempts!.map(({ status, received, events: sent }) => ({
    status,
    received,
    events: sent,
  }));
};

test('each attempt says whether the partner may have the events', async () => {
  const answers = [{ status: 503 }, 'drop' as const, { status: 429 }, { status: 200 }];
  partner.script(() => answers.shift() ?? { status: 200 });
  expect(await past(hook('hook', { retry: fastRetry }))).toEqual([
    { status: 503, received: 'maybe', events: 1 },
    { status: 'broken', received: 'maybe', events: 1 },
    { status: 429, received: 'no', events: 1 },
    { status: 200, received: 'yes', events: 1 },
  ]);
});

test('an attempt that could not connect says that the partner has nothing', async () => {
  const { url, close } = await startPartner();
  await close();
  const { start, checkpoint } = await open([hook('hook', { settings: { url: `${url}/hook` } })]);
  const batch = await start(trackEvents(2));
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
  const { start, checkpoint, receipts } = await open([
    hook('hook', { timeout: '3s', retry: fastRetry }),
  ]);
  const batch = await start(trackEvents(1));
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
  const { startOf, receipts } = await open([hook('hook', { events: ['track'], sources: ['a'] })], {
    sources: ['a', 'b'],
  });
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
