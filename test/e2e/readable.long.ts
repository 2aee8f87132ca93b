import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { createLog } from '../../src/log.ts';
import { findTemporalProgram } from '../../src/temporal/program.ts';
import { runningServer } from '../../src/temporal/server-place.ts';
import { startChromium, withoutChromium } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { startPartner, type Partner } from '../support/partner.ts';
import {
  createFolder,
  runCommand,
  startProduct,
  type Folder,
  type Product,
} from '../support/product.ts';

const without = withoutChromium();
if (without !== undefined) console.warn(`Nothing is tried in a browser: ${without}`);
const inBrowser = without === undefined ? test : test.skip;

const writeKey = 'a-write-key-of-the-test';
const partnersWords = 'the registry is closed';

let folder: Folder;
let partner: Partner;
let product: Product & { url: string };
let batch: string;
let program: string;
beforeAll(async () => {
  program = (await findTemporalProgram({ env: process.env, log: createLog('silent') })).path;
  folder = createFolder();
  partner = await startPartner();
  partner.script(() => ({ status: 503, body: partnersWords }));
  const config = folder.config({
    sources: [{ name: 'website', writeKey }],
    destinations: [{ name: 'hook', type: 'webhook', settings: { url: partner.url } }],
    network: { allowPrivate: true },
    encryption: { keys: [{ id: 'of-the-test', key: randomBytes(32).toString('hex') }] },
  });
  product = await startProduct(folder, config);
  const answer = await fetch(`${product.url}/v1/track`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}` },
    body: JSON.stringify({
      userId: 'ada',
      event: 'Wedding Ring Bought',
      properties: { engraving: 'for ever' },
    }),
  });
  expect(answer.status).toBe(200);
  batch = answer.headers.get('Distributary-Batch')!;
  await partner.until((received) => received.length > 0);
}, 90_000);
afterAll(async () => {
  product.kill('SIGTERM');
  await product.exited;
  await partner.close();
  folder.remove();
}, 60_000);

/** What the CLI shows of the batch. */
const shown = async (...args: string[]): Promise<string> => {
  const { port } = runningServer(join(folder.path, 'data'));
  const cli = runCommand(
    program,
    ['workflow', ...args, '-w', batch, '--address', `127.0.0.1:${port}`],
    { cwd: folder.path },
  );
  const code = await cli.exited;
  if (code !== 0) throw new Error(`temporal ended with ${String(code)}: ${cli.stderr()}`);
  return cli.stdout();
};

test('the CLI shows events through the codec endpoint, and none without', async () => {
  const endpoint = ['--codec-endpoint', `${product.url}/codec`];
  expect(await shown('show', '--detailed')).not.toContain('Wedding');
  const text = await shown('show', '--detailed', ...endpoint);
  for (const word of ['Wedding Ring Bought', 'for ever', 'firstDelayMs']) {
    expect(text).toContain(word);
  }
  await eventually(async () => {
    expect(await shown('describe', '-o', 'json', ...endpoint)).toContain(
      Buffer.from(partnersWords).toString(),
    );
  });
  // What the CLI sends comes out of the endpoint encrypted, and the workflow understands it.
  await shown('signal', '--name', 'redrive', '--input', '["nobody"]', ...endpoint);
  await eventually(async () => {
    expect(await shown('show', '--detailed')).not.toContain('nobody');
    expect(await shown('show', '--detailed', ...endpoint)).toContain('nobody');
  });
}, 60_000);

let browser: Browser | undefined;
afterAll(() => browser?.close());

inBrowser(
  without === undefined
    ? "the embedded Web UI shows a batch's events as JSON"
    : `the embedded Web UI shows events (${without})`,
  async () => {
    const uiUrl = `http://127.0.0.1:${runningServer(join(folder.path, 'data')).uiPort!}`;
    browser = await startChromium();
    const page = await browser.newPage({ viewport: { width: 1400, height: 1600 } });
    await page.goto(`${uiUrl}/namespaces/default/workflows/${batch}`);
    await eventually(async () => {
      const text = await page.evaluate<string>('document.body.innerText');
      expect(text).toContain('Wedding Ring Bought');
      expect(text).toContain('for ever');
    }, 40_000);
    // Failures hold partners' words, and are as readable.
    await page.locator('a[href*="/pending-activities"]').first().click();
    await eventually(async () => {
      expect(await page.evaluate('document.body.innerText')).toContain(partnersWords);
    }, 20_000);
    const screenshots = process.env['SCREENSHOTS'];
    if (screenshots !== undefined) {
      mkdirSync(screenshots, { recursive: true });
      await page.screenshot({ path: join(screenshots, 'web-ui.png') });
    }
  },
  90_000,
);
