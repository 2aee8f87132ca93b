import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createServer, type AddressInfo } from 'node:net';
import { eventually } from '../support/eventually.ts';
import { createFolder, runProduct, type Folder, type Product } from '../support/product.ts';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
let folder: Folder;
const products: Product[] = [];
beforeEach(() => {
  folder = createFolder();
});
afterEach(async () => {
  for (const product of products.splice(0)) {
    product.kill('SIGKILL');
    await product.exited;
  }
  folder.remove();
});

const sandbox = (...args: string[]): Product => {
  const product = runProduct(['sandbox', ...args], { cwd: folder.path });
  products.push(product);
  return product;
};

test('it plays the partners without anything else, until SIGTERM', async () => {
  const product = sandbox('--port', '0', '--webhook-secret', secret);
  let url = '';
  await eventually(() => {
    url = /"url":"([^"]+)"/.exec(product.stderr())?.[1] ?? '';
    expect(url).not.toBe('');
  });
  const post = (path: string): Promise<Response> =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'webhook-id': 'm-1', 'webhook-timestamp': `${Math.floor(Date.now() / 1_000)}` },
      body: '[]',
    });
  expect((await post('/mp/collect')).status).toBe(204);
  const unsigned = await post('/webhook');
  expect(unsigned.status).toBe(400);
  expect(await unsigned.text()).toContain('webhook-signature is missing');
  expect(await (await fetch(url)).text()).toContain('<!doctype html>');
  const watcher = await fetch(`${url}/events/stream`); // an open page does not hold it up
  product.kill('SIGTERM');
  expect(await product.exited).toBe(0);
  await watcher.body?.cancel().catch(() => undefined);
  expect(product.stderr()).not.toContain(secret);
});

test('what it cannot do it says in one line', async () => {
  const other = createServer();
  await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
  const { port } = other.address() as AddressInfo;
  const taken = sandbox('--port', `${port}`);
  const unsuited = sandbox('--port', '0', '--webhook-secret', 'my-secret');
  expect(await taken.exited).toBe(2);
  expect(await unsuited.exited).toBe(2);
  other.close();
  expect(taken.stderr()).toMatch(
    /^The partner sandbox cannot listen on .*EADDRINUSE.* --port of .*\n$/,
  );
  expect(unsuited.stderr()).toMatch(/^The partner sandbox's webhook secret must be .*\n$/);
  expect(unsuited.stderr()).not.toContain('my-secret');
});
