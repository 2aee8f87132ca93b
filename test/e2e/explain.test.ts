import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Analytics } from '@segment/analytics-node';
import { randomUUID } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApi } from '../../src/api/openapi.ts';
import type { Explanation } from '../../src/operator/explainer.ts';
import { eventually } from '../support/eventually.ts';
import { startPartner, type Partner } from '../support/partner.ts';
import {
  createFolder,
  runProduct,
  startProduct,
  type Folder,
  type Product,
} from '../support/product.ts';

const token = 'an-operator-token-of-the-test';
let partner: Partner;
let folder: Folder;
let product: Product & { url: string };

beforeAll(async () => {
  partner = await startPartner();
  partner.script(({ path }) =>
    path === '/strict' ? { status: 422, body: 'no such plan' } : { status: 200 },
  );
  folder = createFolder();
  const hook = (name: string, more: object = {}) => ({
    name,
    type: 'webhook',
    settings: { url: `${partner.url}/${name}` },
    ...more,
  });
  const config = folder.config({
    sources: [{ name: 'website', writeKey: 'k' }],
    destinations: [hook('fine'), hook('strict'), hook('people', { events: ['identify'] })],
    network: { allowPrivate: true },
    operator: { token },
  });
  product = await startProduct(folder, config);
}, 60_000);
afterAll(async () => {
  product.kill('SIGTERM');
  expect(await product.exited).toBe(0);
  await partner.close();
  folder.remove();
}, 60_000);

/** Has the real SDK post an event, and answers the id that it gave it. */
const post = async (): Promise<string> => {
  const analytics = new Analytics({ writeKey: 'k', host: product.url, path: '/v1/batch' });
  let messageId = '';
  analytics.track(
    { userId: 'ada', event: 'Paid', properties: { card: '4111-1111' } },
    (_, sent) => {
      messageId = sent!.event.messageId!;
    },
  );
  await analytics.closeAndFlush();
  return messageId;
};
const command = async (...args: string[]) => {
  const ran = runProduct(['explain', ...args, '--data-dir', 'data'], {
    cwd: folder.path,
    env: { TEMPORAL_ADDRESS: undefined },
  });
  return { code: await ran.exited, out: ran.stdout(), err: ran.stderr() };
};
const ask = (query: Record<string, string>, given = token) =>
  fetch(`${product.url}/v1/operator/explain?${new URLSearchParams(query).toString()}`, {
    headers: { authorization: `Bearer ${given}` },
  });

test('an event of a real SDK is found by its id alone, by HTTP and by the command', async () => {
  const messageId = await post();
  await partner.until((received) => received.length >= 2);
  await eventually(async () => {
    const answer = await ask({ messageId });
    expect(answer.status).toBe(200);
    const { events } = (await answer.json()) as Explanation;
    expect(events).toMatchObject([{ messageId, type: 'track', batch: { status: 'completed' } }]);
    expect(events[0]!.destinations.map(({ destination, words }) => [destination, words])).toEqual([
      ['fine', 'delivered'],
      ['strict', 'rejected: 422 no such plan'],
      ['people', 'filtered: the destination does not take events of this type of this source'],
    ]);
  });
  const answer: unknown = await (await ask({ messageId })).json();
  expect(JSON.stringify(answer)).not.toContain('4111');
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(openApi(), 'openapi');
  const validate = ajv.getSchema('openapi#/components/schemas/Explanation')!;
  expect(validate(answer) ? null : validate.errors).toBeNull();

  const { code, out } = await command(messageId);
  expect(out).toMatch(
    new RegExp(
      `^${messageId}: a track event of website, accepted \\S+Z\n` +
        '  in batch-\\S+ \\(completed, started \\S+Z\\), event 1 of 1\n' +
        '  fine    delivered\n(    .*\n)*' +
        '  strict  rejected: 422 no such plan\n(    .*\n)*' +
        '  people  filtered: .*\n' +
        'Searched \\d+ batch(es)? started between .*\\.\n$',
    ),
  );
  expect(code).toBe(0);
  const { out: json } = await command(messageId, '--json', '--around', '1m');
  expect((JSON.parse(json) as Explanation).events).toMatchObject([{ messageId }]);
});

test('an event whose id says no time is found by the batch that its client was answered', async () => {
  const messageId = randomUUID();
  const answer = await fetch(`${product.url}/v1/track`, {
    method: 'POST',
    body: JSON.stringify({ userId: 'ada', event: 'Paid', messageId, writeKey: 'k' }),
  });
  const batch = answer.headers.get('Distributary-Batch')!;
  const { code, out } = await command(messageId, '--batch', batch);
  expect([code, out]).toEqual([0, expect.stringContaining(`in ${batch} (`)]);
  const alone = await ask({ messageId });
  expect([alone.status, await alone.json()]).toMatchObject([400, { code: 'invalid_query' }]);
});

test('what is not there is not found, and what was searched is said', async () => {
  const messageId = `node-next-${Date.now()}-${randomUUID()}`;
  const answer = await ask({ messageId, around: '3d' });
  expect([answer.status, await answer.json()]).toEqual([
    404,
    {
      code: 'event_not_found',
      message: expect.stringMatching(/^Searched 0 batches started between \S+Z and \S+Z\.$/),
    },
  ]);
  const { code, out } = await command(messageId, '--around', '3d');
  expect([code, out]).toEqual([1, expect.stringMatching(/^Not found\.\nSearched 0 batches/)]);
});

test('mistakes are one line, and 2', async () => {
  expect(await command('some-id')).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringMatching(/^The messageId "some-id" says no time.*\n$/),
  });
  expect(await command('some-id', '--around', 'noon')).toMatchObject({ code: 2, out: '' });
  expect(await command()).toMatchObject({ code: 2, out: '' });
  expect((await ask({ messageId: 'm' }, 'an-operator-token-of-nobody')).status).toBe(401);
});
