import { setTimeout as sleep } from 'node:timers/promises';
import type { Counts } from './latency.ts';
import type { Posted, Traffic } from './load.ts';
import type { Stack } from './stack.ts';

/** Requests of live traffic a second, beside whatever else a scenario does. */
export const perSecond = 500;
/** What is posted last needs so long to arrive. */
const arrivingMs = 500;

/** Posts live traffic for a time, and measures how long it took to arrive at one partner. */
export const openFor = async (
  stack: Stack,
  traffic: Traffic,
  at: string,
  ms: number,
): Promise<{ posted: Posted; latency: Counts }> => {
  await stack.arrivals(true);
  const posted = await stack.clients.open(traffic, perSecond, ms);
  await sleep(arrivingMs);
  const found = (await stack.arrivals()).find(
    ({ partner, group }) => partner === at && group === traffic.group,
  );
  return { posted, latency: found?.latency ?? [] };
};
