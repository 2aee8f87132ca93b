import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page, Request, Response } from 'playwright-core';
import { startChromium, startSite, withoutChromium, type Site } from '../support/browser.ts';
import { counter } from '../support/counters.ts';
import {
  expectSixCalls,
  tracks,
  startWithFourPartners,
  type FourPartners,
} from '../support/four-partners.ts';

const without = withoutChromium();
if (without !== undefined) console.warn(`Nothing is tried in a browser: ${without}`);
const inBrowser = without === undefined ? test : test.skip;
const title = (words: string) => (without === undefined ? words : `${words} (${without})`);

/** The SDK as built for pages that take it by a script element. */
const sdk = join(dirname(require.resolve('@segment/analytics-next/package.json')), 'dist/umd');

let product: FourPartners;
let site: Site;
let browser: Browser;
let page: Page;
let requests: Request[];

beforeAll(async () => {
  if (without !== undefined) return;
  product = await startWithFourPartners();
  site = await startSite(sdk, 'index.js');
  browser = await startChromium();
}, 90_000);
afterAll(async () => {
  if (without !== undefined) return;
  await browser.close();
  await site.close();
  await product.close();
}, 60_000);
beforeEach(async () => {
  if (without !== undefined) return;
  page = await (await browser.newContext()).newPage(); // a visitor of its own
  requests = [];
  page.on('request', (request) => requests.push(request));
  await page.goto(site.url);
});
afterEach(async () => {
  if (without === undefined) await page.context().close();
});

/** Runs a script in the page, with `analytics` loaded from the product. */
const run = (script: string, deliveryStrategy?: object): Promise<unknown> => {
  const settings = JSON.stringify({ writeKey: product.writeKey, cdnURL: product.url });
  const options = JSON.stringify({ integrations: { 'Segment.io': { deliveryStrategy } } });
  return page.evaluate(`(async () => {
    const [analytics] = await AnalyticsNext.AnalyticsBrowser.load(${settings}, ${options});
    ${script}
  })()`);
};

/** All six; `alias` comes first, for the SDK sends the known user's id as both ids. */
const sixCalls = `
  await Promise.all([
    analytics.alias('ada', 'visitor-1'),
    analytics.identify('ada', { email: 'ada@example.com' }),
    analytics.track('Order Completed', { order_id: 'o-1', revenue: 12.5, currency: 'USD' }),
    analytics.page('Shop', 'Home'),
    analytics.screen('App', 'Start'),
    analytics.group('engines', { employees: 3 }),
  ]);`;

const posted = (): string[] =>
  requests.filter((each) => each.method() === 'POST').map((each) => new URL(each.url()).pathname);

const strategies = [
  {
    name: 'standard',
    strategy: { strategy: 'standard' },
    paths: ['/v1/a', '/v1/g', '/v1/i', '/v1/p', '/v1/s', '/v1/t'],
  },
  {
    name: 'batching',
    strategy: { strategy: 'batching', config: { size: 6, timeout: 60_000 } },
    paths: ['/v1/b'],
  },
];
for (const { name, strategy, paths } of strategies) {
  inBrowser(
    title(`all six calls of analytics.js arrive once at each partner, by ${name} delivery`),
    async () => {
      const before = product.arrived();
      const preflights = 'distributary_api_request_duration_seconds_count';
      const answered204 = `${preflights}{route="other",status="204"}`;
      const preflightsBefore = await counter(product.url, answered204);

      await run(sixCalls, strategy);
      await expectSixCalls(product, before);

      expect(posted().sort()).toEqual(paths);
      // The page is of another origin: the browser asked first. It asked nobody else.
      expect(await counter(product.url, answered204)).toBeGreaterThan(preflightsBefore);
      const origins = new Set(requests.map((each) => new URL(each.url()).origin));
      expect(origins).toEqual(new Set([site.url, product.url]));
    },
    60_000,
  );
}

/** Fills the source's share of what the product holds, and keeps it full until stopped. */
const flood = (): { full: Promise<void>; stop: () => Promise<void> } => {
  let over = false;
  let tellFull: () => void;
  const full = new Promise<void>((resolve) => (tellFull = resolve));
  const bodyOf = (events: number, bytes: number): string => {
    const event = { type: 'track', event: 'Flood', userId: 'ada', integrations: { All: false } };
    const properties = { text: 'x'.repeat(bytes) };
    const batch = Array.from({ length: events }, () => ({ ...event, properties }));
    return JSON.stringify({ writeKey: product.writeKey, batch });
  };
  const pump = async (body: string, whenRefused: () => void): Promise<void> => {
    while (!over) {
      try {
        const answer = await fetch(`${product.url}/v1/batch`, { method: 'POST', body });
        await answer.arrayBuffer();
        if (answer.status === 429) whenRefused();
      } catch {
        // Cut off while it was sending: refused as well, but that is not what the test waits for.
      }
      await sleep(100);
    }
  };
  // Small enough to wait for no turn, and more of them than the share holds: whatever is given back
  // is taken again at once. The smallest fill what the others leave.
  const [most, rest] = [bodyOf(4, 30_000), bodyOf(1, 10_000)];
  const pumps = [
    ...Array.from({ length: 400 }, () => pump(most, () => undefined)),
    ...Array.from({ length: 100 }, () => pump(rest, tellFull)),
  ];
  return {
    full,
    stop: async () => {
      over = true;
      await Promise.all(pumps);
    },
  };
};

inBrowser(
  title('analytics.js reads the Retry-After of a 429, waits as long, and loses nothing'),
  async () => {
    const before = product.arrived();
    await run('window.loaded = analytics;');

    // Temporal takes nothing, so that what the source sends is held until its share is full.
    process.kill(product.temporalPid(), 'SIGSTOP');
    const flooding = flood();
    let refusal: Response;
    try {
      await flooding.full;
      const refused = page.waitForResponse((answer) => answer.status() === 429);
      await page.evaluate(`loaded.track('Squeezed', { text: 'x'.repeat(20000) }); undefined`);
      refusal = await refused;
    } finally {
      process.kill(product.temporalPid(), 'SIGCONT');
      await flooding.stop();
    }

    const retryAfterMs = Number(refusal.headers()['retry-after']) * 1_000;
    expect(retryAfterMs).toBeGreaterThanOrEqual(1_000);
    await product.untilMore(before, tracks(1));
    const first = refusal.request();
    const { messageId } = first.postDataJSON() as { messageId: string };
    const again = requests
      .slice(requests.indexOf(first) + 1)
      .find((each) => each.postData()?.includes(messageId));
    await again!.response();
    // By the browser's clock; without the header it comes again within some 0.3 s.
    const { startTime, responseStart } = first.timing();
    expect(responseStart).toBeGreaterThan(0);
    const refusedAt = startTime + responseStart;
    expect(again!.timing().startTime - refusedAt).toBeGreaterThan(retryAfterMs - 300);
    expect(product.arrived(before)).toMatchObject({
      hook: [{ messageId, event: 'Squeezed' }],
      mixpanel: [{ item: { event: 'Squeezed' } }],
      ga4: [{ name: 'Squeezed' }],
      optimizely: [{ key: 'Squeezed' }],
    });
  },
  90_000,
);
