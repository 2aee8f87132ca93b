import { expect } from '@jest/globals';
import { untilDelivered } from './counters.ts';
import { fourDestinations, writeKey } from './four-destinations.ts';
import { startPartner } from './partner.ts';
import { createFolder, startProduct, temporalPid } from './product.ts';

/** What the webhook received, without the parts that no test reads. */
interface Hooked {
  messageId: string;
  type: string;
  event?: string;
}

/** What arrived at each partner, as often as it did, by the destination's name. */
export interface Arrived {
  hook: Hooked[];
  /** Each item with the path that it came by. */
  mixpanel: { path: string; item: Record<string, unknown> }[];
  ga4: { name: string; params: Record<string, unknown> }[];
  optimizely: { key: string; revenue?: number }[];
}

/** How many events arrive, or arrived. */
type Counts = { [destination in keyof Arrived]: number };

/** The product between a client under test and a partner of each destination type. */
export interface FourPartners {
  /** Where the product is. */
  url: string;
  writeKey: string;
  /** All that has arrived, or what has since then. */
  arrived: (since?: Arrived) => Arrived;
  /** Waits until the product says that it has delivered so many more. */
  untilMore: (than: Arrived, more: Counts) => Promise<void>;
  temporalPid: () => number;
  close: () => Promise<void>;
}

export const startWithFourPartners = async (): Promise<FourPartners> => {
  const partner = await startPartner();
  const saysNothing = new Set(['/mp/collect', '/v1/events']);
  partner.script(({ path }) => ({ status: saysNothing.has(path.replace(/\?.*/, '')) ? 204 : 200 }));
  const folder = createFolder();
  const config = folder.config(fourDestinations(partner.url, { path: '/hook' }));
  const product = await startProduct(folder, config);

  const all = (): Arrived => {
    const arrived: Arrived = { hook: [], mixpanel: [], ga4: [], optimizely: [] };
    for (const { path: whole, body } of partner.received) {
      const path = whole.replace(/\?.*/, '');
      const content = JSON.parse(body) as unknown;
      if (path === '/hook') {
        arrived.hook.push(content as Hooked);
      } else if (path === '/mp/collect') {
        arrived.ga4.push(...(content as { events: Arrived['ga4'] }).events);
      } else if (path === '/v1/events') {
        const { visitors } = content as {
          visitors: { snapshots: { events: Arrived['optimizely'] }[] }[];
        };
        arrived.optimizely.push(
          ...visitors.flatMap(({ snapshots }) => snapshots.flatMap(({ events }) => events)),
        );
      } else {
        const items = content as Record<string, unknown>[];
        arrived.mixpanel.push(...items.map((item) => ({ path, item })));
      }
    }
    return arrived;
  };

  return {
    url: product.url,
    writeKey,
    arrived: (since) => {
      const { hook, mixpanel, ga4, optimizely } = all();
      return {
        hook: hook.slice(since?.hook.length),
        mixpanel: mixpanel.slice(since?.mixpanel.length),
        ga4: ga4.slice(since?.ga4.length),
        optimizely: optimizely.slice(since?.optimizely.length),
      };
    },
    untilMore: (than, more) =>
      untilDelivered(product.url, {
        hook: than.hook.length + more.hook,
        mixpanel: than.mixpanel.length + more.mixpanel,
        ga4: than.ga4.length + more.ga4,
        optimizely: than.optimizely.length + more.optimizely,
      }),
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

/** So many of the same `track` arrive: every type sends those. */
export const tracks = (count: number): Counts => ({
  hook: count,
  mixpanel: count,
  ga4: count,
  optimizely: count,
});

/** Waits for each of an SDK's six calls at each partner that takes it, and expects nothing else. */
export const expectSixCalls = async (
  product: Pick<FourPartners, 'arrived' | 'untilMore'>,
  before: Arrived,
): Promise<void> => {
  await product.untilMore(before, { hook: 6, mixpanel: 6, ga4: 2, optimizely: 1 });
  const { hook, mixpanel, ga4, optimizely } = product.arrived(before);
  expect(hook.map(({ type }) => type).sort()).toEqual([
    'alias',
    'group',
    'identify',
    'page',
    'screen',
    'track',
  ]);
  expect(new Set(hook.map(({ messageId }) => messageId)).size).toBe(6);
  expect(mixpanel.map(({ path, item }) => item['event'] ?? path).sort()).toEqual([
    '$create_alias',
    '/engage',
    '/groups',
    'Order Completed',
    'Viewed Home',
    'Viewed Start',
  ]);
  const [view, purchase] = ga4.toSorted((a, b) => a.name.localeCompare(b.name));
  expect(view).toMatchObject({ name: 'page_view' });
  expect(purchase).toMatchObject({
    name: 'purchase',
    params: { transaction_id: 'o-1', value: 12.5, currency: 'USD' },
  });
  expect(ga4).toHaveLength(2);
  expect(optimizely).toMatchObject([{ key: 'Order Completed', revenue: 1_250 }]);
};
