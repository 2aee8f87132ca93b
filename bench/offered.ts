import { setTimeout as sleep } from 'node:timers/promises';
import { merged, percentile, type Counts } from './latency.ts';
import { costs, type Figure, type Pace, type Scenario } from './scenario.ts';
import { startStack, type Setup } from './stack.ts';

const three = ['one', 'two', 'three'];

/** Traffic at a fixed rate, one event a request, and what it cost. */
const offered = async (
  setup: Setup,
  perSecond: number,
  forSeconds: number,
  { seconds }: Pace,
): Promise<{
  accept: Counts;
  delivered: Counts;
  costs: Figure[];
  /** CPU time of each of the product's processes, in ms. */
  cpuMsOfEach: number[];
}> => {
  const stack = await startStack(setup);
  try {
    const traffic = { writeKeys: stack.writeKeys, group: 'a', eventsPerRequest: 1 };
    const warm = await stack.clients.open(traffic, perSecond, seconds(8) * 1_000);
    await stack.balance(warm.accepted, 20_000);
    await stack.arrivals(true);
    const before = await stack.usage();
    const { accepted, latency } = await stack.clients.open(
      traffic,
      perSecond,
      seconds(forSeconds) * 1_000,
    );
    await stack.balance(warm.accepted + accepted, 20_000);
    const after = await stack.usage();
    return {
      accept: latency,
      delivered: merged((await stack.arrivals()).map((each) => each.latency)),
      costs: costs(before, after, accepted),
      cpuMsOfEach: after.cpuMsOfEach.map((ms, at) => ms - before.cpuMsOfEach[at]!),
    };
  } finally {
    await stack.stop();
  }
};

const latencyAt =
  (perSecond: number, bounds: { accept?: number; delivered?: number }): Scenario['run'] =>
  async (pace) => {
    const {
      accept,
      delivered,
      costs: spent,
    } = await offered({ mixpanel: three }, perSecond, 30, pace);
    return [
      { name: 'accept p50', value: percentile(accept, 50), unit: 'ms' },
      {
        name: 'accept p99',
        value: percentile(accept, 99),
        unit: 'ms',
        ...(bounds.accept !== undefined && { atMost: bounds.accept }),
      },
      { name: 'delivered p50', value: percentile(delivered, 50), unit: 'ms' },
      {
        name: 'delivered p99',
        value: percentile(delivered, 99),
        unit: 'ms',
        ...(bounds.delivered !== undefined && { atMost: bounds.delivered }),
      },
      ...spent,
    ];
  };

const idle: Scenario['run'] = async ({ quick }) => {
  const stack = await startStack({ mixpanel: three });
  try {
    const one = { writeKeys: stack.writeKeys, group: 'a', eventsPerRequest: 1 };
    const accept: Counts[] = [];
    const times = quick ? 10 : 100;
    for (let sent = 1; sent <= times; sent++) {
      if (sent === 6) await stack.arrivals(true); // the first ones load code
      const { latency } = await stack.clients.closed(one, 1, onceOnly());
      if (sent >= 6) accept.push(latency);
      await stack.balance(sent, 10_000);
      await sleep(100);
    }
    const delivered = merged((await stack.arrivals()).map(({ latency }) => latency));
    return [
      { name: 'accept p50', value: percentile(merged(accept), 50), unit: 'ms' },
      { name: 'delivered p50', value: percentile(delivered, 50), unit: 'ms' },
      {
        name: 'delivered, the slowest',
        value: percentile(delivered, 100),
        unit: 'ms',
        atMost: 250,
      },
    ];
  } finally {
    await stack.stop();
  }
};

/** Over once it was asked before. */
const onceOnly = (): (() => boolean) => {
  let asked = false;
  return () => {
    const before = asked;
    asked = true;
    return before;
  };
};

const destinations: Scenario['run'] = async (pace) => {
  const figures: Figure[] = [];
  for (const count of [1, 3, 10, 40]) {
    const names = Array.from({ length: count }, (_, at) => `to-${at}`);
    const { delivered, costs: spent } = await offered({ mixpanel: names }, 200, 12, pace);
    const [ours, theirs] = spent as [Figure, Figure];
    figures.push(
      {
        name: `${count}: delivered p99`,
        value: percentile(delivered, 99),
        unit: 'ms',
        ...(count === 40 && { atMost: 2_000 }),
      },
      {
        name: `${count}: CPU per 1,000 deliveries`,
        value: (ours.value + theirs.value) / count,
        unit: 'ms',
      },
    );
  }
  return figures;
};

const sources: Scenario['run'] = async (pace) => {
  const one = await offered({ mixpanel: three }, 1_000, 25, pace);
  const many = await offered({ mixpanel: three, sources: 500 }, 1_000, 25, pace);
  const cpuOf = ({ costs: [ours, theirs] }: typeof one): number => ours!.value + theirs!.value;
  const p99Of = ({ delivered }: typeof one): number => percentile(delivered, 99);
  return [
    { name: '1: delivered p99', value: p99Of(one), unit: 'ms' },
    { name: '500: delivered p99', value: p99Of(many), unit: 'ms' },
    { name: '1: CPU per 1,000 events', value: cpuOf(one), unit: 'ms' },
    { name: '500: CPU per 1,000 events', value: cpuOf(many), unit: 'ms' },
    { name: 'CPU, 500 : 1', value: cpuOf(many) / cpuOf(one), unit: '×', atMost: 1.2 },
    { name: 'p99, 500 : 1', value: p99Of(many) / p99Of(one), unit: '×', atMost: 1.3 },
  ];
};

const processes: Scenario['run'] = async (pace) => {
  const figures: Figure[] = [];
  for (const count of [1, 10]) {
    const setup = { mixpanel: three, workers: count - 1 };
    const { accept, delivered, costs: spent, cpuMsOfEach } = await offered(setup, 500, 15, pace);
    const [ours, theirs] = spent as [Figure, Figure];
    figures.push(
      { name: `${count}: accept p99`, value: percentile(accept, 99), unit: 'ms' },
      {
        name: `${count}: delivered p99`,
        value: percentile(delivered, 99),
        unit: 'ms',
        atMost: 1_000,
      },
      { name: `${count}: CPU per 1,000 events`, value: ours.value + theirs.value, unit: 'ms' },
    );
    if (count === 1) continue;
    const workers = cpuMsOfEach.slice(1);
    figures.push({
      name: 'the busiest worker : the least busy',
      value: Math.max(...workers) / Math.min(...workers),
      unit: '×',
      atMost: 2,
    });
  }
  return figures;
};

export const offeredLoads: Scenario[] = [
  {
    name: 'latency-100',
    title: '100 events/s offered, one a request, 3 destinations',
    run: latencyAt(100, {}),
  },
  {
    name: 'latency-1000',
    title: '1,000 events/s offered, one a request, 3 destinations',
    run: latencyAt(1_000, { accept: 50, delivered: 1_000 }),
  },
  { name: 'idle', title: 'one event now and then, 3 destinations', run: idle },
  {
    name: 'destinations',
    title: '200 events/s to 1, 3, 10 and 40 destinations in one process',
    run: destinations,
  },
  {
    name: 'processes',
    title: '500 events/s of one process that runs everything, and shared with nine more',
    run: processes,
  },
  { name: 'sources', title: '1,000 events/s of 1 source, and of 500', run: sources },
];
