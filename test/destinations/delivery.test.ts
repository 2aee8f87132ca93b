import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setMaxListeners } from 'node:events';
import { z } from 'zod';
import { createBreather } from '../../src/breather.ts';
import { createConnections } from '../../src/activities/connections.ts';
import { createPace } from '../../src/activities/pace.ts';
import { openLedger } from '../../src/activities/ledger.ts';
import { mapPart } from '../../src/activities/map-part.ts';
import { sendPart, type Sending } from '../../src/activities/send.ts';
import {
  blocked,
  defineDestination,
  delivered,
  rejected,
  type Verdict,
} from '../../src/destinations/define.ts';
import type { Progress } from '../../src/delivery.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import type { TrackEvent } from '../../src/event.ts';
import { trackEvent } from '../support/events.ts';
import { startPartner, type Partner, type Received } from '../support/partner.ts';
import { openRoad, type Road } from '../support/road.ts';

let partner: Partner;
let road: Road | undefined;

beforeAll(async () => {
  partner = await startPartner();
});
afterEach(async () => {
  await road?.close();
  road = undefined;
  partner.received.length = 0;
});
afterAll(() => partner.close());

const deliver = async (
  type: string,
  given: Record<string, unknown>,
  events: readonly TrackEvent[],
) => {
  road = await openRoad({
    destinations: [{ name: 'it', type, endpoint: partner.url, ...given }],
  });
  const { deliveries } = await road.receipts(await road.start(events));
  return deliveries['it']!;
};

const events = (count: number, given: (n: number) => Partial<TrackEvent>): TrackEvent[] =>
  Array.from({ length: count }, (_, n) => trackEvent({ messageId: `m-${n}`, ...given(n) }));

describe('Optimizely', () => {
  const visitorsOf = ({ body }: Received): string[] =>
    (JSON.parse(body) as { visitors: { visitor_id: string }[] }).visitors.map(
      ({ visitor_id }) => visitor_id,
    );
  const strict = (bad: RegExp): void =>
    partner.script((request) =>
      visitorsOf(request).some((visitor) => bad.test(visitor))
        ? { status: 400, body: 'a visitor is malformed' }
        : { status: 204 },
    );

  test('one event that it refuses costs no other, and is found by halves', async () => {
    strict(/^u-7$/);
    const receipt = await deliver(
      'optimizely',
      { settings: { accountId: '17' } },
      events(16, (n) => ({ userId: `u-${n}` })),
    );
    expect(receipt).toMatchObject({ delivered: 15, rejected: 1 });
    expect(receipt.rejections).toEqual([
      { reason: '400 a visitor is malformed', count: 1, messageIds: ['m-7'], events: [[7, 8]] },
    ]);
    const taken = partner.received.filter((request) => !visitorsOf(request).includes('u-7'));
    expect(taken.flatMap(visitorsOf)).toHaveLength(15);
    expect(partner.received).toHaveLength(9); // 1 + 2 for each halving of 16
  });

  test('requests that find the culprit keep to the rate, too', async () => {
    strict(/^u-0$/);
    const receipt = await deliver(
      'optimizely',
      { settings: { accountId: '17' }, rate: { perSecond: 25 } },
      events(8, (n) => ({ userId: `u-${n}` })),
    );
    expect(receipt).toMatchObject({ delivered: 7, rejected: 1 });
    const gaps = partner.received.slice(1).map(({ at }, n) => at - partner.received[n]!.at);
    expect(gaps).toHaveLength(6);
    // Each turn is 40 ms; a request may be on its way for some of them.
    expect(gaps.reduce((sum, gap) => sum + gap, 0)).toBeGreaterThanOrEqual(6 * 40 - 20);
  });
});

describe('Google Analytics 4', () => {
  const settings = { measurementId: 'G-7RQ1DC0LXN', apiSecret: 'secret' };
  const bodies = () =>
    partner.received.map(
      ({ body }) => JSON.parse(body) as { client_id: string; events: { name: string }[] },
    );

  test('a request holds 25 events of one person, and none that is older than 72 hours', async () => {
    partner.script(() => ({ status: 204 }));
    const hour = 3_600_000;
    const at = (ms: number) => new Date(Date.now() - ms).toISOString();
    const receipt = await deliver('google-analytics-4', { settings }, [
      ...events(30, () => ({ anonymousId: 'ann', timestamp: at(71 * hour) })),
      ...events(3, (n) => ({ messageId: `b-${n}`, anonymousId: 'bob', timestamp: at(0) })),
      trackEvent({ messageId: 'old', anonymousId: 'ann', timestamp: at(73 * hour) }),
    ]);
    expect(receipt).toMatchObject({ delivered: 33, rejected: 1 });
    expect(receipt.rejections).toEqual([
      {
        reason: 'older than the 72 h that Google Analytics 4 takes',
        count: 1,
        messageIds: ['old'],
        events: [[33, 34]],
      },
    ]);
    const sent = bodies().map(({ client_id, events: { length } }) => `${client_id} ${length}`);
    expect(sent.sort()).toEqual(['ann 25', 'ann 5', 'bob 3']);
  });

  test('an event that it would swallow is rejected with its name', async () => {
    partner.script(() => ({ status: 204 }));
    const receipt = await deliver('google-analytics-4', { settings }, [
      trackEvent({ timestamp: new Date().toISOString() }),
      trackEvent({ messageId: 'm-2', event: 'session_start' }),
    ]);
    expect(receipt).toMatchObject({ delivered: 1, rejected: 1 });
    expect(receipt.rejections[0]!.reason).toMatch(
      /^google-analytics-4 cannot map this event: session_start is no name of an event/,
    );
    expect(bodies()).toHaveLength(1);
  });
});

describe('blocked items', () => {
  /** A partner that lists, in a request that it refuses as a whole, some of what is wrong with it. */
  const send = async (
    names: string[],
    read: (sent: readonly string[]) => Verdict | Verdict[],
    { from, requestsInTime = 20 }: { from?: Progress; requestsInTime?: number } = {},
  ) => {
    const requests: string[][] = [];
    const over = new AbortController();
    setMaxListeners(0, over.signal);
    const listing = defineDestination({
      type: 'listing',
      name: 'Listing',
      docs: 'https://listing.example/',
      settings: z.strictObject({}),
      events: { track: ({ event }) => ({ name: event }) },
      batch: { max: 100 },
      request: (items) => ({
        method: 'POST',
        url: 'https://listing.example/',
        headers: {},
        body: JSON.stringify(items.map(({ name }) => name)),
      }),
      classify: (_, items) => read(items.map(({ name }) => name)),
    });
    const retry = { firstDelayMs: 1_000, factor: 2, maxDelayMs: 1_000, giveUpAfterMs: 60_000 };
    const shared = {
      name: 'listing',
      settings: {},
      events: new Set(['track'] as const),
      secrets: [],
    };
    const destination: Destination = {
      name: 'listing',
      type: listing,
      shared,
      own: new Map(),
      retry,
      keepMs: 60_000,
      timeoutMs: 1_000,
    };
    const batch = names.map((event, n) => ({
      event: trackEvent({ event, messageId: `m-${n}` }),
      source: 'website',
    }));
    const ledger = openLedger({ destination, batch, from, retry, random: () => 0.5 });
    const sending: Sending = {
      destination,
      http: {
        send: ({ body }) => {
          requests.push(JSON.parse(String(body)) as string[]);
          if (requests.length > requestsInTime) over.abort();
          return Promise.resolve({ status: 400, headers: {}, body: '' });
        },
        close: () => Promise.resolve(),
      },
      connections: createConnections({
        requestsAtOnce: 1,
        throttles: 'connection',
        onHealth: () => undefined,
      }),
      pace: createPace(undefined),
      now: Date.now,
      onRequest: () => undefined,
      over: over.signal,
      deadline: Infinity,
      eventBytes: 0,
      largeTurn: () => Promise.reject(new Error('these are small')),
      afterRequest: () => undefined,
    };
    const part = ledger.parts[0]!;
    await sendPart(
      part,
      await mapPart(part, destination, batch, Date.now, createBreather()),
      sending,
      false,
    );
    return { requests, progress: ledger.progress('end') };
  };

  test('go again together, without those whose fate is decided', async () => {
    const { requests, progress } = await send(['a', 'bad', 'c', 'd'], (sent) =>
      sent.includes('bad')
        ? sent.map((name) => (name === 'bad' ? rejected('is bad') : blocked('for another')))
        : delivered,
    );
    expect(requests).toEqual([
      ['a', 'bad', 'c', 'd'],
      ['a', 'c', 'd'],
    ]);
    expect(progress).toMatchObject({ unsettled: [], receipt: { delivered: 3, rejected: 1 } });
  });

  test('are rejected one by one where each is refused', async () => {
    const { requests, progress } = await send(['a', 'b', 'c'], () => blocked('no'));
    expect(requests).toEqual([['a', 'b', 'c'], ['a', 'b'], ['a'], ['b'], ['c']]);
    expect(progress.unsettled).toEqual([]);
    expect(progress.receipt.rejections).toEqual([
      { reason: 'no', count: 3, messageIds: ['m-0', 'm-1', 'm-2'], events: [[0, 3]] },
    ]);
  });

  test('wait with the others where the partner asks for a pause meanwhile', async () => {
    const { requests, progress } = await send(['a', 'b', 'c', 'd'], (sent) =>
      sent.length > 2 ? blocked('no') : { kind: 'retry', reason: 'slower', retryAfterMs: 5_000 },
    );
    expect(requests).toEqual([
      ['a', 'b', 'c', 'd'],
      ['a', 'b'],
    ]);
    expect(progress.unsettled).toMatchObject([{ events: [0, 4], reason: 'slower' }]);
  });

  test('end with the time of the attempt', async () => {
    const many = Array.from({ length: 100 }, (_, n) => `n-${n}`);
    const { requests, progress } = await send(many, () => blocked('no'));
    expect(requests).toHaveLength(21);
    const { rejected: found } = progress.receipt;
    expect(found).toBeGreaterThan(5);
    expect(progress.unsettled).toMatchObject([{ events: [found, 100] }]);
  });

  test('come to an end also where an attempt has time for few requests', async () => {
    const many = ['bad', ...Array.from({ length: 99 }, (_, n) => `n-${n}`)];
    const strict = (sent: readonly string[]) => (sent.includes('bad') ? blocked('no') : delivered);
    let from: Progress | undefined;
    for (let attempts = 0; attempts < 50 && from?.unsettled.length !== 0; attempts++) {
      const { progress } = await send(many, strict, { ...(from && { from }), requestsInTime: 3 });
      from = progress;
    }
    expect(from).toMatchObject({ unsettled: [], receipt: { delivered: 99, rejected: 1 } });
  });
});
