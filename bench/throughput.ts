import { setTimeout as sleep } from 'node:timers/promises';
import { merged, percentile } from './latency.ts';
import { costs, type Figure, type Pace, type Scenario } from './scenario.ts';
import { startStack, type Setup } from './stack.ts';

const requestEvents = 100;
const connections = 16;
/** Clients wait while so many events are accepted and not delivered: what is held is bounded. */
const mostAhead = 30_000;

/** Posts as fast as events are delivered, after a while to warm up. */
const sustained = async (
  setup: Setup,
  { seconds }: Pace,
  bounds: { perSecond: number },
): Promise<Figure[]> => {
  const stack = await startStack(setup);
  try {
    const partners = (setup.mixpanel?.length ?? 0) + (setup.webhook?.length ?? 0);
    const traffic = { writeKeys: stack.writeKeys, group: 'a', eventsPerRequest: requestEvents };
    /** What every partner has. */
    const arrived = async (): Promise<number> => {
      const counts = (await stack.arrivals()).map(({ different }) => different);
      return counts.length < partners ? 0 : Math.min(...counts);
    };

    let isOver = false;
    let posted = 0;
    let delivered = 0;
    const watch = (async () => {
      while (!isOver) {
        delivered = await arrived();
        await sleep(50);
      }
    })();
    const mayGoOn = async (): Promise<void> => {
      posted += requestEvents;
      while (posted - delivered > mostAhead && !isOver) await sleep(5);
    };
    const load = stack.clients.closed(traffic, connections, () => isOver, mayGoOn);

    await sleep(seconds(15) * 1_000);
    await stack.arrivals(true);
    const [before, atFirst, began] = [await stack.usage(), await arrived(), performance.now()];
    await sleep(seconds(30) * 1_000);
    const half = await stack.usage();
    await sleep(seconds(30) * 1_000);
    const [after, atLast] = [await stack.usage(), await arrived()];
    const tookS = (performance.now() - began) / 1_000;
    isOver = true;
    const { accepted, latency, refused, failed } = await load;
    await watch;
    await stack.balance(accepted, 30_000);
    const end = await stack.usage();
    const onTheWay = merged((await stack.arrivals()).map((each) => each.latency));
    return [
      {
        name: 'accepted and delivered everywhere',
        value: (atLast - atFirst) / tookS,
        unit: '/s',
        atLeast: bounds.perSecond,
      },
      { name: 'accept p99', value: percentile(latency, 99), unit: 'ms' },
      { name: 'delivered p50', value: percentile(onTheWay, 50), unit: 'ms' },
      { name: 'delivered p99', value: percentile(onTheWay, 99), unit: 'ms' },
      ...costs(before, after, atLast - atFirst),
      { name: 'memory, product, half way', value: half.productMiB, unit: 'MiB' },
      {
        name: 'memory, product, in the end',
        value: after.productMiB,
        unit: 'MiB',
        atMost: half.productMiB * 1.15,
      },
      { name: 'memory, Temporal, in the end', value: after.temporalMiB, unit: 'MiB' },
      { name: 'stored per event', value: end.stored / accepted, unit: 'B' },
      { name: 'requests refused or failed', value: refused + failed, unit: '', atMost: 0 },
    ];
  } finally {
    await stack.stop();
  }
};

export const throughput: Scenario[] = [
  {
    name: 'throughput',
    title: '3 batch-taking destinations, 16 connections, 100 events a request',
    run: (pace) => sustained({ mixpanel: ['one', 'two', 'three'] }, pace, { perSecond: 10_000 }),
  },
  {
    name: 'webhook',
    title: '1 webhook: a request for each event',
    run: (pace) => sustained({ webhook: ['hook'] }, pace, { perSecond: 3_600 }),
  },
];
