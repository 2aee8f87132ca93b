import { setTimeout as sleep } from 'node:timers/promises';
import { merged, percentile, type Counts } from './latency.ts';
import { openFor, perSecond } from './live.ts';
import type { Posted, Traffic } from './load.ts';
import type { Arrivals, Behaviour } from './partner.ts';
import type { Figure, Scenario } from './scenario.ts';
import { partnerOf, startStack, type Setup, type Stack } from './stack.ts';

/**
 * Measures the good ones' latency in turns, without and with a bad neighbour, so that what else the
 * machine does in the meantime meets both alike.
 */
const compared = async ({
  setup,
  pauseMs,
  goBad,
  getBetter,
  isBad,
  traffic,
  seconds,
}: {
  setup: Setup;
  /** How long the neighbour is bad before it counts: its first failure has to be known. */
  pauseMs: number;
  /** @returns what ends it, where it posts events of its own */
  goBad: (stack: Stack) => (() => Promise<Posted>) | undefined;
  getBetter: (stack: Stack) => void;
  isBad: (partner: string, group: string) => boolean;
  traffic: (stack: Stack) => Traffic;
  seconds: number;
}): Promise<{ without: Counts; withBad: Counts }> => {
  const stack = await startStack(setup);
  const parts: Record<'without' | 'withBad', Counts[]> = { without: [], withBad: [] };
  let accepted = 0;
  try {
    const measure = async (into: Counts[]): Promise<void> => {
      await stack.arrivals(true);
      const posted = await stack.clients.open(traffic(stack), perSecond, seconds * 1_000);
      accepted += posted.accepted;
      const good = await allArrived(stack, isBad);
      into.push(...good.map(({ latency }) => latency));
    };
    const warm = await stack.clients.open(traffic(stack), perSecond, 5_000);
    accepted += warm.accepted;
    for (let round = 0; round < 2; round++) {
      await measure(parts.without);
      const stopBad = goBad(stack);
      const first = await stack.clients.open(traffic(stack), perSecond, pauseMs);
      accepted += first.accepted;
      await measure(parts.withBad);
      accepted += (await stopBad?.())?.accepted ?? 0;
      getBetter(stack);
      await stack.balance(accepted, 60_000);
    }
    return { without: merged(parts.without), withBad: merged(parts.withBad) };
  } finally {
    await stack.stop();
  }
};

/** The good ones' arrivals, once no more come: what is late counts, too. */
const allArrived = async (
  stack: Stack,
  isBad: (partner: string, group: string) => boolean,
): Promise<Arrivals[]> => {
  let before = -1;
  for (;;) {
    await sleep(500);
    const good = (await stack.arrivals()).filter(({ partner, group }) => !isBad(partner, group));
    const count = good.reduce((sum, { different }) => sum + different, 0);
    if (count === before) return good;
    before = count;
  }
};

/** Resolves once so many events of a group have arrived at a partner. */
const drainedOf = async (
  stack: Stack,
  partner: string,
  group: string,
  events: number,
): Promise<void> => {
  for (;;) {
    const arrivals = await stack.arrivals();
    const found = arrivals.find((each) => each.partner === partner && each.group === group);
    if ((found?.different ?? 0) >= events) return;
    await sleep(200);
  }
};

const ratios = (
  { without, withBad }: { without: Counts; withBad: Counts },
  atMost = 1.1,
): Figure[] => {
  const [before, after] = [percentile(without, 99), percentile(withBad, 99)];
  return [
    { name: 'p50 of the others, without', value: percentile(without, 50), unit: 'ms' },
    { name: 'p50 of the others, with', value: percentile(withBad, 50), unit: 'ms' },
    { name: 'p99 of the others, without', value: before, unit: 'ms' },
    { name: 'p99 of the others, with', value: after, unit: 'ms' },
    { name: 'p99, with : without', value: after / before, unit: '×', atMost },
  ];
};

const retry = { firstDelay: '1s', maxDelay: '4s' }; // so that a run is over within two minutes

const destination =
  (behaviour: Behaviour): Scenario['run'] =>
  async ({ seconds }) =>
    ratios(
      await compared({
        setup: { mixpanel: ['bad', 'one', 'two'], more: { retry, timeout: '5s' } },
        pauseMs: 6_000,
        goBad: (stack) => {
          stack.behave('bad', behaviour);
          return undefined;
        },
        getBetter: (stack) => stack.behave('bad', { kind: 'takes' }),
        isBad: (partner) => partner === 'bad',
        traffic: ({ writeKeys }) => ({ writeKeys, group: 'a', eventsPerRequest: 1 }),
        seconds: seconds(10),
      }),
    );

const connection: Scenario['run'] = async ({ seconds }) =>
  ratios(
    await compared({
      setup: {
        mixpanel: ['shared'],
        sources: 50,
        ownConnections: true,
        more: { retry, timeout: '5s' },
      },
      pauseMs: 6_000,
      goBad: (stack) => {
        stack.behave(partnerOf('shared', 7), { kind: 'hangs' });
        return undefined;
      },
      getBetter: (stack) => stack.behave(partnerOf('shared', 7), { kind: 'takes' }),
      isBad: (partner) => partner === partnerOf('shared', 7),
      traffic: ({ writeKeys }) => ({ writeKeys, group: 'a', eventsPerRequest: 1 }),
      seconds: seconds(10),
    }),
  );

/** One source posts as fast as it is answered, in requests of the largest size. */
const source: Scenario['run'] = async ({ seconds }) =>
  ratios(
    await compared({
      setup: { mixpanel: ['one', 'two'], sources: 2 },
      pauseMs: 2_000,
      goBad: (stack) =>
        stack.flood({ writeKeys: ['key-0'], group: 'f', eventsPerRequest: 300, filling: 2_500 }, 8),
      getBetter: () => undefined,
      isBad: (_, group) => group === 'f',
      traffic: () => ({ writeKeys: ['key-1'], group: 'a', eventsPerRequest: 1 }),
      seconds: seconds(10),
    }),
    3, // it is given all that the others leave of the machine: docs/decisions/0008-large-work-rests.md
  );

const backlogEvents = 100_000;

/** A backlog gathers behind a dead destination, and drains once it is back, beside live traffic. */
const backlog: Scenario['run'] = async ({ seconds, quick }) => {
  const stack = await startStack({ mixpanel: ['dead', 'live'], more: { retry, timeout: '5s' } });
  try {
    const live: Traffic = { writeKeys: stack.writeKeys, group: 'a', eventsPerRequest: 1 };
    const bulk: Traffic = { writeKeys: stack.writeKeys, group: 'b', eventsPerRequest: 100 };
    const events = quick ? 10_000 : backlogEvents;
    let accepted = 0;
    const liveFor = async (ms: number): Promise<Counts> => {
      const { posted, latency } = await openFor(stack, live, 'live', ms);
      accepted += posted.accepted;
      return latency;
    };
    await liveFor(5_000);
    const before = await liveFor(seconds(10) * 1_000);

    stack.behave('dead', { kind: 'fails' });
    let left = events / 100;
    const bulked = await stack.clients.closed(bulk, 8, () => left-- <= 0);
    if (bulked.accepted !== events) throw new Error(`only ${bulked.accepted} events are behind it`);
    accepted += bulked.accepted;
    await sleep(5_000);
    const behindStored = (await stack.usage()).stored;
    const during = await liveFor(seconds(10) * 1_000);
    const grown = (await stack.usage()).stored - behindStored;

    stack.behave('dead', { kind: 'takes' });
    const began = performance.now();
    const drained = drainedOf(stack, 'dead', 'b', events).then(() => performance.now());
    const drain = await liveFor(seconds(20) * 1_000);
    const drainedS = ((await drained) - began) / 1_000;
    await stack.balance(accepted, 60_000);
    const { productMiB } = await stack.usage();
    const [p99, p99During, p99Drain] = [before, during, drain].map((each) => percentile(each, 99));
    return [
      { name: 'live p99 before', value: p99!, unit: 'ms' },
      { name: 'live p99 beside the backlog', value: p99During!, unit: 'ms' },
      { name: 'live p99 while it drains', value: p99Drain!, unit: 'ms' },
      {
        name: 'p99, beside the backlog : before',
        value: p99During! / p99!,
        unit: '×',
        atMost: 1.5,
      },
      { name: 'p99, while it drains : before', value: p99Drain! / p99!, unit: '×', atMost: 1.5 },
      { name: 'drained after', value: drainedS, unit: 's', atMost: 60 },
      { name: 'database grown beside the backlog', value: grown / 1_048_576, unit: 'MiB' },
      { name: 'memory, product', value: productMiB, unit: 'MiB' },
    ];
  } finally {
    await stack.stop();
  }
};

export const neighbours: Scenario[] = [
  {
    name: 'neighbour-hangs',
    title: 'one destination of three hangs',
    run: destination({ kind: 'hangs' }),
  },
  {
    name: 'neighbour-fails',
    title: 'one destination of three answers 503',
    run: destination({ kind: 'fails' }),
  },
  {
    name: 'neighbour-throttles',
    title: 'one destination of three answers 429',
    run: destination({ kind: 'throttles', retryAfterSeconds: 2 }),
  },
  {
    name: 'neighbour-connection',
    title: 'one connection of fifty in a destination hangs',
    run: connection,
  },
  { name: 'neighbour-source', title: 'one source of two floods', run: source },
  {
    name: 'backlog',
    title: '100,000 events behind a dead destination, and live traffic to another',
    run: backlog,
  },
];
