import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { startFaultyProxy, type Fault, type FaultyProxy } from '../support/faulty-proxy.ts';
import {
  expectSixCalls,
  startWithFourPartners,
  type FourPartners,
} from '../support/four-partners.ts';

const script = resolve(import.meta.dirname, '../support/six-calls.py');
const folders: string[] = [];

/** Installs a release into a folder of its own; or says why that does not work here. */
const install = (version: string): { folder: string } | { reason: string } => {
  const folder = mkdtempSync(join(tmpdir(), 'distributary-python-'));
  const release = `segment-analytics-python==${version}`;
  const args = ['-m', 'pip', 'install', '--quiet', '--target', folder, release];
  const { status, error, stderr } = spawnSync('python3', args, {
    encoding: 'utf8',
    timeout: 120_000,
    env: {
      ...process.env,
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
      PIP_NO_INPUT: '1',
      PIP_RETRIES: '1',
    },
  });
  if (status === 0) {
    folders.push(folder);
    return { folder };
  }
  rmSync(folder, { recursive: true, force: true });
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
  return { reason: `pip cannot install ${release}: ${why.slice(0, 120)}` };
};

// 2.3.4 sends the write key in the body alone; 2.4.0 by Basic authentication as well.
const installed = ['2.4.0', '2.3.4'].map((version) => ({ version, sdk: install(version) }));
for (const { sdk } of installed) if ('reason' in sdk) console.warn(sdk.reason);

let product: FourPartners;
let network: FaultyProxy;
beforeAll(async () => {
  product = await startWithFourPartners();
  network = await startFaultyProxy(product.url);
}, 60_000);
afterAll(async () => {
  await network.close();
  await product.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}, 60_000);

const unavailable: Fault = { status: 503 };
const faults: { words: string; script: Fault[] }[] = [
  { words: 'a sound network', script: [] },
  { words: 'a network that loses the first answer', script: ['lost answer'] },
  {
    words: 'a network that resets a connection, and a server that is unavailable',
    script: ['reset', unavailable],
  },
];
for (const { version, sdk } of installed) {
  for (const encoding of ['plain', 'gzip']) {
    for (const { words, script: scripted } of faults) {
      const title = `all six calls of Python's SDK ${version} (${encoding}) arrive once over ${words}`;
      if ('reason' in sdk) {
        test.skip(`${title}; skipped, for ${sdk.reason}`, () => undefined);
        continue;
      }
      test(title, async () => {
        const before = product.arrived();
        network.passed.length = 0;
        network.script(scripted);
        await promisify(execFile)('python3', [script, network.url, product.writeKey, encoding], {
          timeout: 25_000,
          env: { ...process.env, PYTHONPATH: sdk.folder },
        });
        await expectSixCalls(product, before);
        expect(network.passed.map(({ fault }) => fault).slice(0, scripted.length)).toEqual(
          scripted,
        );
        for (const { headers } of network.passed) {
          expect(headers['content-encoding']).toBe(encoding === 'gzip' ? 'gzip' : undefined);
          expect(headers.authorization !== undefined).toBe(version === '2.4.0');
        }
      });
    }
  }
}
