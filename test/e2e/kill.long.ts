import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPartner, type Partner } from '../support/partner.ts';
import {
  createFolder,
  runProduct,
  startProduct,
  temporalPid,
  type Folder,
  type Product,
} from '../support/product.ts';
import { eventually } from '../support/eventually.ts';

let partner: Partner;
let folder: Folder;
const products: Product[] = [];
beforeEach(async () => {
  partner = await startPartner();
  folder = createFolder();
});
afterEach(async () => {
  for (const product of products.splice(0)) {
    product.kill('SIGTERM');
    await product.exited;
  }
  await partner.close();
  folder.remove();
}, 60_000);

const config = (more: Record<string, unknown> = {}) => ({
  sources: [{ name: 'website', writeKey: 'key' }],
  destinations: [
    {
      name: 'mixpanel',
      type: 'mixpanel',
      settings: { projectToken: 'token' },
      endpoint: partner.url,
    },
    { name: 'hook', type: 'webhook', settings: { url: `${partner.url}/hook` }, ...more },
  ],
  network: { allowPrivate: true },
});

/** How often each event arrived, at each partner, by its idempotency key. */
const arrivals = (): { hook: Map<string, number>; mixpanel: Map<string, number> } => {
  const counts = { hook: new Map<string, number>(), mixpanel: new Map<string, number>() };
  const add = (map: Map<string, number>, id: string) => map.set(id, (map.get(id) ?? 0) + 1);
  for (const { path, headers, body } of partner.received) {
    if (path === '/hook') add(counts.hook, headers['webhook-id'] as string);
    else {
      for (const { properties } of JSON.parse(body) as { properties: { $insert_id: string } }[]) {
        add(counts.mixpanel, properties.$insert_id);
      }
    }
  }
  return counts;
};

/** Posts batches of events one after the other until stopped; keeps the ids answered 200. */
const postUntil = async (isOver: () => boolean, url: () => string, accepted: Set<string>) => {
  for (let n = 0; !isOver(); n++) {
    const ids = Array.from(
      { length: 20 },
      (_, at) => `e-${n}-${at}-${Math.random().toString(36).slice(2, 8)}`,
    );
    const batch = ids.map((messageId) => ({
      type: 'track',
      event: 'Load',
      userId: 'ada',
      messageId,
    }));
    try {
      const answer = await fetch(`${url()}/v1/batch`, {
        method: 'POST',
        body: JSON.stringify({ writeKey: 'key', batch }),
        signal: AbortSignal.timeout(15_000),
      });
      if (answer.status === 200) for (const id of ids) accepted.add(id);
    } catch {
      await sleep(20); // it is down: the client would come again
    }
  }
};

test('kill -9 of every process in the middle of load, twice, loses nothing that was answered 200', async () => {
  const file = folder.config(config());
  const accepted = new Set<string>();
  let product = await startProduct(folder, file);
  let over = false;
  const load = Promise.all(
    Array.from({ length: 4 }, () =>
      postUntil(
        () => over,
        () => product.url,
        accepted,
      ),
    ),
  );
  for (let kills = 0; kills < 2; kills++) {
    const before = accepted.size;
    await eventually(() => expect(accepted.size).toBeGreaterThan(before + 1_000), 30_000);
    const server = temporalPid(folder);
    process.kill(product.pid, 'SIGKILL');
    process.kill(server, 'SIGKILL');
    await product.exited;
    product = await startProduct(folder, file);
  }
  const before = accepted.size;
  await eventually(() => expect(accepted.size).toBeGreaterThan(before + 200), 30_000);
  over = true;
  await load;
  products.push(product);
  // Half-delivered batches of a killed worker are taken over once its heartbeats are missed.
  await eventually(() => {
    const { hook, mixpanel } = arrivals();
    const lost = [...accepted].filter((id) => !hook.has(id) || !mixpanel.has(id));
    expect(lost).toEqual([]);
  }, 60_000);
}, 240_000);

test('after kill -9 of the node process alone, a start adopts the server and goes on', async () => {
  const file = folder.config(config());
  const accepted = new Set<string>();
  const first = await startProduct(folder, file);
  let over = false;
  const load = postUntil(
    () => over,
    () => first.url,
    accepted,
  );
  await eventually(() => expect(accepted.size).toBeGreaterThan(200), 30_000);
  const server = temporalPid(folder);
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  over = true;
  await load;
  const began = Date.now();
  // The same server serves on, as it is told the same: the Web UI's codec endpoint is this port.
  const second = await startProduct(folder, file, {}, Number(new URL(first.url).port));
  expect(Date.now() - began).toBeLessThan(15_000);
  products.push(second);
  expect(temporalPid(folder)).toBe(server);
  await eventually(() => {
    const { hook } = arrivals();
    expect([...accepted].filter((id) => !hook.has(id))).toEqual([]);
  }, 60_000);
}, 120_000);

test("a killed worker's delivery is taken over within 30 s, and sends little again", async () => {
  // Slow enough that the kill comes in the middle of one delivery.
  const file = folder.config(config({ rate: { perSecond: 100 } }));
  const address = process.env['TEST_TEMPORAL_ADDRESS']!;
  const env = { TEMPORAL_ADDRESS: address };
  const api = runProduct(['api', '--config', file, '--port', '0'], { cwd: folder.path, env });
  products.push(api);
  const worker = (): Product =>
    runProduct(['worker', '--config', file, '--no-workflows'], { cwd: folder.path, env });
  const victim = worker();
  let url = '';
  await eventually(() => {
    url = /"url":"([^"]+)"/.exec(api.stderr())?.[1] ?? '';
    expect(url).not.toBe('');
  }, 30_000);
  const batch = Array.from({ length: 1_000 }, (_, n) => ({
    type: 'track',
    event: 'Load',
    userId: 'ada',
    messageId: `k-${n}`,
  }));
  const answer = await fetch(`${url}/v1/batch`, {
    method: 'POST',
    body: JSON.stringify({ writeKey: 'key', batch }),
  });
  expect(answer.status).toBe(200);
  await eventually(() => expect(arrivals().hook.size).toBeGreaterThan(300), 30_000);
  process.kill(victim.pid, 'SIGKILL');
  const killed = Date.now();
  await victim.exited;
  const sizeAtKill = arrivals().hook.size;
  products.push(worker());
  await eventually(() => expect(arrivals().hook.size).toBeGreaterThan(sizeAtKill + 10), 40_000);
  expect(Date.now() - killed).toBeLessThan(30_000);
  await eventually(() => expect(arrivals().hook.size).toBe(1_000), 60_000);
  const again = [...arrivals().hook.values()].reduce((sum, times) => sum + times - 1, 0);
  // At 100 events a second, about a second's events: what the last checkpoint did not know.
  expect(again).toBeLessThanOrEqual(150);
}, 180_000);
