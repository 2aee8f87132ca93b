import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Analytics } from '@segment/analytics-node';
import { counter } from '../support/counters.ts';
import { startFaultyProxy, type Fault, type FaultyProxy } from '../support/faulty-proxy.ts';
import {
  startWithFourPartners,
  tracks,
  type Arrived,
  type FourPartners,
} from '../support/four-partners.ts';

let product: FourPartners;
let network: FaultyProxy;
let before: Arrived;
let duplicates = 0;
beforeAll(async () => {
  product = await startWithFourPartners();
  network = await startFaultyProxy(product.url);
}, 60_000);
afterAll(async () => {
  await network.close();
  await product.close();
}, 60_000);
beforeEach(async () => {
  network.passed.length = 0;
  before = product.arrived();
  duplicates = await counter(product.url, 'distributary_api_events_duplicate_total');
});

/** Tracks so many events, and ends once the SDK has done all that it ever does about them. */
const trackAll = async (count: number, flushAt: number): Promise<string[]> => {
  const analytics = new Analytics({ writeKey: product.writeKey, host: network.url, flushAt });
  const errors: unknown[] = [];
  analytics.on('error', (error) => errors.push(error));
  const names = Array.from({ length: count }, (_, n) => `Event ${n}`);
  for (const event of names) analytics.track({ userId: 'ada', event });
  await analytics.closeAndFlush({ timeout: 60_000 });
  expect(errors).toEqual([]);
  return names.sort();
};

/** Each of these events has arrived at each partner, once; and so many came again. */
const expectOnce = async (names: readonly string[], again: number): Promise<void> => {
  await product.untilMore(before, tracks(names.length));
  const { hook, mixpanel, ga4, optimizely } = product.arrived(before);
  expect(hook.map(({ event }) => event).sort()).toEqual(names);
  expect(mixpanel.map(({ item }) => item['event']).sort()).toEqual(names);
  const underscored = names.map((name) => name.replaceAll(' ', '_'));
  expect(ga4.map(({ name }) => name).sort()).toEqual(underscored);
  expect(optimizely.map(({ key }) => key).sort()).toEqual(names);
  expect(await counter(product.url, 'distributary_api_events_duplicate_total')).toBe(
    duplicates + again,
  );
};

const tooMany: Fault = { status: 429, headers: { 'retry-after': '1' } };
const unavailable: Fault = { status: 503 };

const cases: { words: string; fault: Fault; posts: number; again: number }[] = [
  { words: 'the answer is lost', fault: 'lost answer', posts: 2, again: 3 },
  { words: 'the connection is reset', fault: 'reset', posts: 2, again: 0 },
  { words: 'half of the request arrives', fault: 'cut short', posts: 2, again: 0 },
  { words: 'the request arrives twice', fault: 'duplicated', posts: 1, again: 3 },
  { words: 'the answer is 429', fault: tooMany, posts: 2, again: 0 },
  { words: 'the answer is 503', fault: unavailable, posts: 2, again: 0 },
];
test.each(cases)(
  'where $words, each event of analytics-node is delivered once',
  async ({ fault, posts, again }) => {
    network.script([fault]);
    const names = await trackAll(3, 3);
    expect(network.passed.map((each) => each.fault)).toEqual([fault, 'none'].slice(0, posts));
    await expectOnce(names, again);
  },
);

test('analytics-node says which try it is, and waits as long as Retry-After asks', async () => {
  network.script([tooMany, tooMany]);
  const names = await trackAll(3, 3);
  await expectOnce(names, 0);
  const [first, second, third] = network.passed;
  expect([second, third].map((each) => each?.headers['x-retry-count'])).toEqual(['1', '2']);
  expect(second!.at - first!.at).toBeGreaterThan(950);
  expect(third!.at - second!.at).toBeGreaterThan(950);
});

test('a network with all of these faults, again and again, loses nothing and repeats nothing', async () => {
  const round: Fault[] = ['lost answer', unavailable, 'duplicated', 'reset', tooMany, 'cut short'];
  network.script([...round, 'none', ...round, 'lost answer', 'lost answer', ...round]);
  const names = await trackAll(60, 5);
  const arrivals = { none: 1, 'lost answer': 1, duplicated: 2, reset: 0, 'cut short': 0 };
  const arrived = network.passed
    .map(({ fault }) => (typeof fault === 'string' ? arrivals[fault] : 0))
    .reduce((sum, each) => sum + each, 0);
  expect(network.passed.length).toBeGreaterThan(3 * round.length);
  await expectOnce(names, arrived * 5 - 60);
}, 90_000);
