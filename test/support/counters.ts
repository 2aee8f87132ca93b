import { expect } from '@jest/globals';
import { eventually } from './eventually.ts';

/** One figure of the product's metrics, by its name with labels; 0 while nothing was counted. */
export const counter = async (url: string, name: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
};

/** Waits until the product says that so many events are delivered at each destination. */
export const untilDelivered = (
  url: string,
  delivered: Record<string, number>,
  withinMs?: number,
): Promise<void> =>
  eventually(async () => {
    const counts: Record<string, number> = {};
    for (const name of Object.keys(delivered)) {
      counts[name] = await counter(
        url,
        `distributary_delivery_events_total{destination="${name}",outcome="delivered"}`,
      );
    }
    expect(counts).toEqual(delivered);
  }, withinMs);
