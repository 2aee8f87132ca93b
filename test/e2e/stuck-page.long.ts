import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { runningServer } from '../../src/temporal/server-place.ts';
import { startChromium, withoutChromium } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { startPartner, type Partner } from '../support/partner.ts';
import { createFolder, startProduct, type Folder, type Product } from '../support/product.ts';

const without = withoutChromium();
if (without !== undefined) console.warn(`Nothing is tried in a browser: ${without}`);
const inBrowser = without === undefined ? test : test.skip;

const writeKey = 'a-write-key-of-the-test';
const partnersWords = '<b>no</b> such key';

let folder: Folder;
let partner: Partner;
let product: Product & { url: string };
let browser: Browser;
let page: Page;

beforeAll(async () => {
  if (without !== undefined) return;
  folder = createFolder();
  partner = await startPartner();
  const webhook = (name: string) => ({
    name,
    type: 'webhook',
    settings: { url: `${partner.url}/${name}` },
  });
  const config = folder.config({
    sources: [{ name: 'website', writeKey }],
    destinations: [webhook('open'), webhook('locked')],
    network: { allowPrivate: true },
    encryption: { keys: [{ id: 'of-the-test', key: randomBytes(32).toString('hex') }] },
  });
  product = await startProduct(folder, config);
  browser = await startChromium();
  page = await browser.newPage({ viewport: { width: 1400, height: 1600 } });
}, 90_000);
afterAll(async () => {
  if (without !== undefined) return;
  await browser.close();
  product.kill('SIGTERM');
  await product.exited;
  await partner.close();
  folder.remove();
}, 60_000);

const send = async (event: string): Promise<string> => {
  const answer = await fetch(`${product.url}/v1/track`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}` },
    body: JSON.stringify({ userId: 'ada', event }),
  });
  expect(answer.status).toBe(200);
  return answer.headers.get('Distributary-Batch')!;
};

const workflows = (): string =>
  `http://127.0.0.1:${runningServer(join(folder.path, 'data')).uiPort!}/namespaces/default/workflows`;
const text = (): Promise<string> => page.locator('body').innerText();

/** The batches that the list shows for a query. */
const listed = async (query: string): Promise<string[]> => {
  const url = `${workflows()}?query=${encodeURIComponent(query)}`;
  await page.goto(url, { waitUntil: 'networkidle' });
  return [...new Set((await text()).match(/\bbatch-[0-9a-f-]{36}\b/g))].sort();
};

/** What the tab User Metadata shows as the current details; it asks for them when it is opened. */
const details = () => page.frameLocator('iframe[title="output"]');
const eventuallyDetails = (check: (words: string) => void): Promise<void> =>
  eventually(async () => {
    await page.keyboard.press('r'); // as the page proposes: "for freshness"
    check(await details().locator('body').innerText({ timeout: 2_000 }));
  }, 30_000);

const screenshot = async (name: string): Promise<void> => {
  const place = process.env['SCREENSHOTS'];
  if (place === undefined) return;
  mkdirSync(place, { recursive: true });
  await page.screenshot({ path: join(place, `${name}.png`) });
};

inBrowser(
  without === undefined
    ? 'the embedded Web UI finds a stuck batch, says what is stuck, and redrives it'
    : `the embedded Web UI shows what is stuck (${without})`,
  async () => {
    const delivered = [await send('Ring Viewed'), await send('Ring Added')];
    const isListed = (query: string, batches: string[]) =>
      eventually(async () => expect(await listed(query)).toEqual(batches.sort()), 60_000);
    await isListed('ExecutionStatus = "Completed"', delivered);
    partner.script(({ path }) =>
      path === '/locked' ? { status: 401, body: partnersWords } : { status: 200 },
    );
    const batch = await send('Wedding Ring Bought');
    await partner.until((received) => received.length === 6);

    // The list
    await isListed('Destinations = "locked"', [...delivered, batch]);
    await isListed('StuckDestinations = "locked"', [batch]);
    await screenshot('stuck-list');

    // The batch's page, and its timeline
    await page.goto(`${workflows()}/${batch}`);
    await eventually(async () => {
      const words = await text();
      expect(words).toContain('"event": "Wedding Ring Bought"');
      expect(words).toContain(`parked: locked: 1 event, 401 ${partnersWords}`);
    }, 40_000);
    await screenshot('stuck-page');

    // What is stuck
    await page.locator('a[href*="/user-metadata"]').first().click();
    await eventuallyDetails((words) => {
      expect(words).toMatch(/locked: 1 event parked since 20\S+Z, .*credentials/);
      expect(words).toMatch(/1 attempt in a row/);
      // Markup in a partner's words is shown as it came.
      expect(words).toContain(`: 401 ${partnersWords}; the partner certainly has none`);
      expect(words).toContain('distributary redrive --destination locked');
      expect(words).toMatch(/"reason": "why"\}\.\s*$/);
      expect(words).not.toMatch(/open|\*\*|`/);
    });
    await screenshot('stuck-details');
    // All of it is to be seen: the frame does not cut off the last line.
    await eventually(async () => {
      const below = await page
        .frames()
        .find((frame) => frame.url().includes('/render?'))!
        .evaluate<number>(
          `[...document.querySelectorAll('p')].at(-1).getBoundingClientRect().bottom -
            document.documentElement.clientHeight`,
        );
      expect(below).toBeLessThanOrEqual(0);
    });

    // Redriven as the details say
    partner.script(() => ({ status: 200 }));
    await page.locator('button:visible', { hasText: 'More Actions' }).click();
    await page.locator('[role=menuitem]:visible', { hasText: 'Send a Signal' }).click();
    const dialog = page.locator('#signal-confirmation-modal[open]');
    await dialog.locator('[data-testid="signal-select-button"]').click();
    await dialog.locator('[role=option]', { hasText: 'redrive' }).click();
    await screenshot('stuck-signal');
    await dialog.locator('button', { hasText: 'Submit' }).click();
    await partner.until((received) => received.length === 7);
    await eventuallyDetails((words) => expect(words.trim()).toBe('Nothing is stuck.'));
    await eventually(async () => {
      await page.reload({ waitUntil: 'networkidle' });
      expect(await text()).toMatch(/^Completed\s+batch-/m);
    }, 40_000);
    await eventuallyDetails((words) => expect(words.trim()).toBe('Nothing is stuck.'));
    await screenshot('stuck-no-more');
    await eventually(async () => {
      expect(await listed('StuckDestinations = "locked"')).toEqual([]);
      expect(await text()).toContain('No Results');
    }, 40_000);
  },
  180_000,
);
