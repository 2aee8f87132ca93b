import { expect } from '@jest/globals';
import { startPartner, type Partner } from './partner.ts';
import { createFolder, startProduct, temporalPid, type Product } from './product.ts';

/** What the webhook received, without the parts that no test reads. */
interface Hooked {
  messageId: string;
  type: string;
  event?: string;
}

/** The product between a client under test and two partners: a webhook and Mixpanel's API. */
export interface TwoPartners {
  /** Where the product is. */
  url: string;
  writeKey: string;
  /** Each event that arrived at the webhook, as often as it did. */
  hooked: () => Hooked[];
  /** The items that arrived at Mixpanel, each with the path that it came by. */
  imported: () => { path: string; item: Record<string, unknown> }[];
  temporalPid: () => number;
  close: () => Promise<void>;
}

export const startWithTwoPartners = async (): Promise<TwoPartners> => {
  const partner: Partner = await startPartner();
  const folder = createFolder();
  const writeKey = 'a-write-key-of-the-test';
  const config = folder.config({
    sources: [{ name: 'website', writeKey }],
    destinations: [
      {
        name: 'mixpanel',
        type: 'mixpanel',
        settings: { projectToken: 'a-project-token-of-the-test' },
        endpoint: partner.url,
      },
      { name: 'hook', type: 'webhook', settings: { url: `${partner.url}/hook` } },
    ],
    network: { allowPrivate: true },
  });
  const product: Product & { url: string } = await startProduct(folder, config);
  return {
    url: product.url,
    writeKey,
    hooked: () =>
      partner.received
        .filter(({ path }) => path === '/hook')
        .map(({ body }) => JSON.parse(body) as Hooked),
    imported: () =>
      partner.received
        .filter(({ path }) => path !== '/hook')
        .flatMap(({ path, body }) =>
          (JSON.parse(body) as Record<string, unknown>[]).map((item) => ({
            path: path.replace(/\?.*/, ''),
            item,
          })),
        ),
    temporalPid: () => temporalPid(folder),
    close: async () => {
      product.kill('SIGTERM');
      const code = await product.exited;
      await partner.close();
      folder.remove();
      if (code !== 0) throw new Error(`The product ended with ${code}:\n${product.stderr()}`);
    },
  };
};

/** Each of an SDK's six calls, and nothing else, among what came after so many. */
export const expectSixCalls = (
  product: Pick<TwoPartners, 'hooked' | 'imported'>,
  hooksBefore: number,
  itemsBefore: number,
): void => {
  const hooks = product.hooked().slice(hooksBefore);
  expect(hooks.map(({ type }) => type).sort()).toEqual([
    'alias',
    'group',
    'identify',
    'page',
    'screen',
    'track',
  ]);
  expect(new Set(hooks.map(({ messageId }) => messageId)).size).toBe(6);
  const items = product.imported().slice(itemsBefore);
  expect(items.map(({ path, item }) => item['event'] ?? path).sort()).toEqual([
    '$create_alias',
    '/engage',
    '/groups',
    'Order Completed',
    'Viewed Home',
    'Viewed Start',
  ]);
};
