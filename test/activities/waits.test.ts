import { expect, test } from '@jest/globals';
import { trackEvent, trackEvents } from '../support/events.ts';
import { idOf, timesReceived } from '../support/partner.ts';
import { fastRetry, partneredRoads } from '../support/partnered-roads.ts';

const { partner, open, hook, mixpanel } = partneredRoads();

test('an attempt after a failing one sends only the rest, what failed before comes last', async () => {
  let poisoned = true;
  partner.script((request) =>
    idOf(request) === 'm-0' && poisoned ? { status: 500, body: 'boom' } : { status: 200 },
  );
  const { start, receipts } = await open([hook('hook', { retry: fastRetry })]);
  const batch = await start(trackEvents(20));
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
  const { start, receipts } = await open([mixpanel({ retry: fastRetry })]);
  const batch = await start(trackEvents(10));
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
  const { start, receipts } = await open([hook('hook', { retry: fastRetry })]);
  const batch = await start(trackEvents(1));
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 1 });
  expect(timesReceived(partner.received)).toEqual({ 'm-0': 2 });
});

test('gives up waiting for a partner that hangs, and delivers once it answers again', async () => {
  let hanging = true;
  partner.script(() => (hanging ? 'hang' : { status: 200 }));
  const { start, receipts } = await open([hook('hook', { retry: fastRetry, timeout: '500ms' })]);
  const batch = await start(trackEvents(3));
  await partner.until((received) => received.length >= 4); // some event for a second time
  hanging = false;
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 3 });
});

test('keeps to the rate that the configuration sets', async () => {
  const { start, receipts } = await open([hook('hook', { rate: { perSecond: 10 } })]);
  const batch = await start(trackEvents(15));
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 15 });
  const times = partner.received.map(({ at }) => at);
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThanOrEqual(1_300);
});

test('several batches share a rate, and none of them stops the others', async () => {
  const { start, receipts } = await open([
    hook('hook', { rate: { perSecond: 20 }, timeout: '1s' }),
  ]);
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
  const { start, receipts } = await open([hook('hook', { retry: fastRetry })]);
  const batch = await start(trackEvents(3));
  expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 3 });
  const second = partner.received.slice(3).map(({ at }) => at - partner.received[0]!.at);
  expect(Math.min(...second)).toBeGreaterThanOrEqual(3_900);
});

test('a drain does not wait for the turns of a slow rate', async () => {
  const opened = await open([hook('hook', { rate: { perSecond: 1 } })]);
  await opened.start(trackEvents(20));
  await partner.until((received) => received.length >= 1);
  const began = Date.now();
  await opened.restartWorkers();
  expect(Date.now() - began).toBeLessThan(10_000); // half of what its turns would take
});

test('a worker that is drained hands over; another sends the rest, and nothing twice', async () => {
  partner.script((_request, nth) => ({ status: 200, afterMs: nth < 40 ? 20 : 0 }));
  const opened = await open([hook('hook', { rate: { perSecond: 40 } })]);
  const batch = await opened.start(trackEvents(100));
  await partner.until((received) => received.length >= 20);
  await opened.restartWorkers();
  expect((await opened.receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 100 });
  expect(Object.values(timesReceived(partner.received))).toEqual(
    Array.from({ length: 100 }, () => 1),
  );
});

test('when a partner comes back, what waits for it goes within seconds, whatever its delay', async () => {
  let isDown = true;
  partner.script(() => (isDown ? { status: 503 } : { status: 200 }));
  const slow = { firstDelay: '1h', maxDelay: '1h' };
  const { start, receipts } = await open([hook('hook', { retry: slow })]);
  const batches = await Promise.all([
    start(trackEvents(1)),
    start(trackEvents(1)),
    start(trackEvents(1)),
  ]);
  await partner.until((received) => received.length >= 1);
  isDown = false;
  for (const batch of batches) {
    expect((await receipts(batch)).deliveries['hook']).toMatchObject({ delivered: 1 });
  }
});
