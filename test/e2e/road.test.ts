import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Analytics } from '@segment/analytics-node';
import { startPartner, type Partner, type Received } from '../support/partner.ts';
import { createFolder, startProduct, type Folder, type Product } from '../support/product.ts';
import { untilDelivered } from '../support/counters.ts';

let partner: Partner;
let folder: Folder;
let product: Product & { url: string };
const secrets = {
  writeKey: 'a-write-key-of-the-test',
  token: 'a-project-token-of-the-test',
  webhook: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
};

beforeAll(async () => {
  partner = await startPartner();
  folder = createFolder();
  const config = folder.config({
    sources: [{ name: 'website', writeKey: secrets.writeKey }],
    destinations: [
      {
        name: 'mixpanel',
        type: 'mixpanel',
        settings: { projectToken: secrets.token },
        endpoint: partner.url,
      },
      {
        name: 'hook',
        type: 'webhook',
        settings: { url: `${partner.url}/hook`, secret: secrets.webhook },
      },
    ],
    network: { allowPrivate: true },
  });
  product = await startProduct(folder, config);
}, 60_000);
afterAll(async () => {
  product.kill('SIGTERM');
  expect(await product.exited).toBe(0);
  await partner.close();
  folder.remove();
}, 60_000);

const hooks = (received: readonly Received[]): Record<string, unknown>[] =>
  received
    .filter(({ path }) => path === '/hook')
    .map(({ body }) => JSON.parse(body) as Record<string, unknown>);
const mixpanelItems = (received: readonly Received[]): Record<string, unknown>[] =>
  received
    .filter(({ path }) => path !== '/hook')
    .flatMap(({ body }) => JSON.parse(body) as Record<string, unknown>[]);

test('all six calls of a Segment SDK arrive at both destinations, exactly once', async () => {
  const analytics = new Analytics({
    writeKey: secrets.writeKey,
    host: product.url,
    path: '/v1/batch',
    flushAt: 6,
  });
  const errors: unknown[] = [];
  analytics.on('error', (error) => errors.push(error));
  const userId = 'ada';
  analytics.identify({ userId, traits: { email: 'ada@example.com' } });
  analytics.track({ userId, event: 'Order Completed', properties: { revenue: 12.5 } });
  analytics.page({ userId, name: 'Home' });
  analytics.screen({ userId, name: 'Start' });
  analytics.group({ userId, groupId: 'engines' });
  analytics.alias({ userId, previousId: 'anon-1' });
  await analytics.closeAndFlush();
  expect(errors).toEqual([]);

  await untilDelivered(product.url, { hook: 6, mixpanel: 6 });
  expect(
    hooks(partner.received)
      .map(({ type }) => type)
      .sort(),
  ).toEqual(['alias', 'group', 'identify', 'page', 'screen', 'track']);
  expect(new Set(hooks(partner.received).map(({ messageId }) => messageId)).size).toBe(6);
  const paths = partner.received.map(({ path }) => path.replace(/\?.*/, ''));
  expect(new Set(paths)).toEqual(new Set(['/hook', '/import', '/engage', '/groups']));
  expect(mixpanelItems(partner.received)).toHaveLength(6);
});

test('an event that comes again is answered as the first, and not delivered twice', async () => {
  const before = hooks(partner.received).length;
  const post = (messageId: string): Promise<Response> =>
    fetch(`${product.url}/v1/track`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${secrets.writeKey}:`)}` },
      body: JSON.stringify({ userId: 'ada', event: 'Again', messageId }),
    });
  const answers = await Promise.all(Array.from({ length: 5 }, () => post('again-1')));
  answers.push(await post('again-1'), await post('again-2'));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 7 }, () => 200));
  await untilDelivered(product.url, { hook: before + 2, mixpanel: before + 2 });
  expect(hooks(partner.received)).toHaveLength(before + 2);
});

test('is healthy, and its metrics have counted', async () => {
  expect((await fetch(`${product.url}/health`)).status).toBe(200);
  const metrics = await (await fetch(`${product.url}/metrics`)).text();
  expect(metrics).toMatch(
    /distributary_delivery_events_total{destination="hook",outcome="delivered"} [1-9]/,
  );
});

test('no secret is in what it prints or in the history of a batch', async () => {
  const answer = await fetch(`${product.url}/v1/track`, {
    method: 'POST',
    body: JSON.stringify({ userId: 'ada', event: 'Look', writeKey: secrets.writeKey }),
  });
  const workflowId = answer.headers.get('distributary-batch')!;
  await partner.until((received) => hooks(received).some(({ event }) => event === 'Look'));
  const ui = /Temporal Web UI\s+(\S+)/.exec(product.stdout())![1]!;
  const history = await (
    await fetch(
      `${ui}/api/v1/namespaces/default/workflows/${workflowId}/history?execution.workflowId=${workflowId}`,
    )
  ).text();
  expect(history).toContain('WORKFLOW_EXECUTION_STARTED');
  const inWords = [
    history,
    ...(history.match(/"data":\s*"([^"]+)"/g) ?? []).map((found) =>
      Buffer.from(found.replace(/^"data":\s*"|"$/g, ''), 'base64').toString(),
    ),
  ].join('\n');
  for (const secret of Object.values(secrets)) {
    expect(inWords).not.toContain(secret);
    expect(product.stderr()).not.toContain(secret);
  }
});

test('once its data are deleted under it, it is no longer healthy and takes no events', async () => {
  rmSync(join(folder.path, 'data'), { recursive: true });
  const answer = await fetch(`${product.url}/health`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toEqual({
    ok: false,
    ailments: [expect.stringMatching(/database was removed or replaced .* stop and start again/)],
  });
  const refused = await fetch(`${product.url}/v1/track`, {
    method: 'POST',
    body: JSON.stringify({ userId: 'ada', event: 'Lost', writeKey: secrets.writeKey }),
  });
  expect(refused.status).toBe(503);
});
