import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createServer, type AddressInfo } from 'node:net';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { startChromium, withoutChromium } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { fourDestinations, writeKey } from '../support/four-destinations.ts';
import { createFolder, startProduct, type Folder, type Product } from '../support/product.ts';

const without = withoutChromium();
if (without !== undefined) console.warn(`Nothing is tried in a browser: ${without}`);
const inBrowser = without === undefined ? test : test.skip;
const title = (words: string) => (without === undefined ? words : `${words} (${without})`);

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** One that was free a moment ago: what is sent to the sandbox has to be configured before it runs. */
const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
};

let folder: Folder;
let product: Product & { url: string };
let sandbox: string;
let browser: Browser;
let page: Page;
/** What the page's console says is wrong, also that its own policy forbids something. */
let complaints: string[];

beforeAll(async () => {
  if (without !== undefined) return;
  folder = createFolder();
  const port = await freePort();
  sandbox = `http://127.0.0.1:${port}`;
  const config = folder.config({
    ...fourDestinations(sandbox, { path: '/webhook', secret }),
    sandbox: { port, webhookSecret: secret },
  });
  product = await startProduct(folder, config);
  browser = await startChromium();
}, 90_000);
afterEach(async () => {
  if (without === undefined) await page.context().close();
});
afterAll(async () => {
  if (without !== undefined) return;
  await browser.close();
  product.kill('SIGTERM');
  const code = await product.exited;
  folder.remove();
  if (code !== 0) throw new Error(`The product ended with ${String(code)}:\n${product.stderr()}`);
}, 60_000);

/** Opens the page while nothing has arrived, and waits until it is live. */
const openPage = async (options: BrowserContextOptions = {}): Promise<void> => {
  await fetch(`${sandbox}/received`, { method: 'DELETE' });
  page = await (await browser.newContext(options)).newPage();
  complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(sandbox);
  await eventually(async () => {
    expect(await page.locator('#link').textContent()).toBe('Live');
  });
  expect(await rows()).toEqual([]);
  expect(await page.locator('#empty').isVisible()).toBe(true);
  await page.evaluate('window.sinceOpened = true'); // a reload forgets it
};

const track = async (event: string, properties: object, more: object = {}): Promise<void> => {
  const answer = await fetch(`${product.url}/v1/track`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}` },
    body: JSON.stringify({ userId: 'ada', event, properties, ...more }),
  });
  expect(answer.status).toBe(200);
};

/** The rows that are to be seen: partner, name and verdict, and the reason where there is one. */
const rows = async (): Promise<string[]> => {
  const seen = await page.evaluate<string[]>(`
    [...document.querySelectorAll('#rows > details')]
      .filter((row) => row.checkVisibility())
      .map((row) => ['partner', 'name', 'verdict', 'reason']
        .map((part) => row.querySelector('.' + part)?.textContent)
        .filter((text) => text !== undefined)
        .join(' | '))`);
  return seen.sort();
};

/** What the cards count, by partner. */
const counts = (): Promise<unknown> =>
  page.evaluate(`Object.fromEntries(
    [...document.querySelectorAll('#partners > section')].map((card) => [
      card.querySelector('h2').textContent,
      [card.querySelector('strong'), ...card.querySelectorAll('li')]
        .map((part) => parseInt(part.textContent)),
    ]))`);

inBrowser(
  title('an open page shows live what each partner thinks of each event'),
  async () => {
    await openPage();
    const order = { order_id: 'o-1', total: 12.5, currency: 'USD' };
    await track('Order Completed', order);
    const first = [
      'Google Analytics 4 | purchase | accepted',
      'Mixpanel | Order Completed | accepted',
      'Optimizely | Order Completed | accepted',
      'Webhook | Order Completed | accepted',
    ];
    await eventually(async () => expect(await rows()).toEqual(first));
    expect(await page.locator('#empty').isVisible()).toBe(false);

    // The order again, in another event: GA4 alone knows it by its number.
    await track('Order Completed', order);
    const second = ['Google Analytics 4 | purchase | duplicate', ...first.slice(1)];
    await eventually(async () => expect(await rows()).toEqual([...first, ...second].sort()));

    // GA4 is not sent what is so old, and Mixpanel does not take it.
    await track('Moon Landing', {}, { timestamp: '1969-07-20T20:17:40.000Z' });
    const refused =
      'Mixpanel | Moon Landing | rejected | ' +
      'properties.time: must be between 1971-01-01 and in an hour, in s or ms';
    const third = [
      refused,
      'Optimizely | Moon Landing | accepted',
      'Webhook | Moon Landing | accepted',
    ];
    await eventually(async () =>
      expect(await rows()).toEqual([...first, ...second, ...third].sort()),
    );
    // Accepted, duplicate, rejected.
    expect(await counts()).toEqual({
      'Google Analytics 4': [1, 1, 0],
      Mixpanel: [2, 0, 1],
      Optimizely: [3, 0, 0],
      Webhook: [3, 0, 0],
    });

    await page.locator('button', { hasText: 'Rejected' }).click();
    expect(await rows()).toEqual([refused]);
    expect(await page.evaluate('window.sinceOpened')).toBe(true);
    expect(complaints).toEqual([]);
  },
  60_000,
);

inBrowser(
  title('markup in an event is shown as text, even by a page without its policy'),
  async () => {
    await openPage({ bypassCSP: true }); // what the policy would stop as well, the script has to
    const markup = '<img src=x onerror=window.pwned=1>';
    await track(markup, { [markup]: markup });
    await eventually(async () =>
      expect(await rows()).toEqual([
        `Mixpanel | ${markup} | accepted`,
        `Optimizely | ${markup} | accepted`,
        `Webhook | ${markup} | accepted`,
      ]),
    );
    const row = page.locator('#rows > details', { hasText: 'Webhook' });
    await row.locator('summary').click();
    await eventually(async () => {
      const content = JSON.parse((await row.locator('pre').textContent())!) as unknown;
      expect(content).toMatchObject({ event: markup, properties: { [markup]: markup } });
    });

    // An element would have asked for its picture, and have failed: not even that.
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.evaluate('window.pwned')).toBeUndefined();
    expect(complaints).toEqual([]);
  },
  60_000,
);
