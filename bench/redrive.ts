import { percentile, type Counts } from './latency.ts';
import type { Traffic } from './load.ts';
import { openFor } from './live.ts';
import type { Scenario } from './scenario.ts';
import { startStack } from './stack.ts';

/** Requests of the backlog: posted one after the other, about each is a batch of its own. */
const requests = 600;
const requestEvents = 100;
/** Whoever knows that a destination fails leaves it to a few for so long. */
const knownAgainMs = 20_000;
/** How long each turn is measured, and how long before that a pause, or its end, is given to be kept. */
const turnMs = 5_000;
const settlingMs = 3_000;

/** A percentile as it was in the turn in the middle: a burst of something else spoils one, not all. */
const usual = (turns: readonly Counts[], percent: number): number => {
  const values = turns.map((turn) => percentile(turn, percent)).sort((one, other) => one - other);
  return values[values.length >> 1] ?? 0;
};

const countOf = (all: readonly Counts[]): number =>
  all.flat().reduce((sum, [, times]) => sum + times, 0);

/** Batches parked behind a dead destination are redriven in bulk, beside live traffic to another. */
const redrive: Scenario['run'] = async ({ quick }) => {
  const retry = { giveUpAfter: '0s' }; // parks at once
  const stack = await startStack({ mixpanel: ['dead', 'live'], more: { retry, timeout: '5s' } });
  try {
    const live: Traffic = { writeKeys: stack.writeKeys, group: 'a', eventsPerRequest: 1 };
    const bulk: Traffic = { ...live, group: 'b', eventsPerRequest: requestEvents };
    let accepted = 0;
    const liveFor = async (ms: number): Promise<Counts> => {
      const { posted, latency } = await openFor(stack, live, 'live', ms);
      accepted += posted.accepted;
      return latency;
    };
    /** Whether a redrive was under way to be told so. */
    const told = async (what: string): Promise<boolean> =>
      (await stack.run(['redrive', '--destination', 'dead', what])).code === 0;
    const command = async (...args: string[]): Promise<string> => {
      const { code, out } = await stack.run(['redrive', '--destination', 'dead', ...args]);
      if (code !== 0) throw new Error(`the redrive ended with ${String(code)}: ${out}`);
      return out;
    };

    await liveFor(5_000);
    stack.behave('dead', { kind: 'fails' });
    let left = quick ? requests / 3 : requests;
    const posted = await stack.clients.closed(bulk, 1, () => left-- <= 0);
    accepted += posted.accepted;
    stack.behave('dead', { kind: 'takes' });
    await liveFor(knownAgainMs);

    const said = /^([\d,]+) batch/.exec(await command('--dry-run'))?.[1];
    const counted = Number(said?.replaceAll(',', ''));
    const over = new AbortController();
    const redriven = command('--yes').finally(() => over.abort());
    const without: Counts[] = [];
    const during: Counts[] = [];
    let drainedMs = 0;
    let usedMs = 0;
    // In turns, so that what else the machine does meets both alike.
    for (;;) {
      await liveFor(settlingMs);
      const [before, began] = [await stack.usage(), performance.now()];
      const counts = await liveFor(turnMs);
      if (over.signal.aborted) break;
      const after = await stack.usage();
      during.push(counts);
      drainedMs += performance.now() - began;
      usedMs += after.productCpuMs + after.temporalCpuMs;
      usedMs -= before.productCpuMs + before.temporalCpuMs;
      if (!(await told('--pause'))) break;
      await liveFor(settlingMs);
      without.push(await liveFor(turnMs));
      if (!(await told('--resume'))) break;
    }
    const out = await redriven;
    if (without.length === 0)
      throw new Error(`${counted} batches are too few to be measured beside`);
    const again = Number(/(\d+) are stuck/.exec(out)?.[1] ?? 0);
    if (again > 0) await command('--yes');
    await stack.balance(accepted, 60_000);

    const [p50, p50During] = [without, during].map((turns) => usual(turns, 50));
    const [p99, p99During] = [without, during].map((turns) => usual(turns, 99));
    return [
      { name: 'parked batches, redriven at the default rate', value: counted, unit: '' },
      { name: 'live events counted beside it', value: countOf(during), unit: '' },
      { name: 'parked again', value: again, unit: '' },
      { name: 'live p50, without', value: p50!, unit: 'ms' },
      { name: 'live p50, while it drains', value: p50During!, unit: 'ms' },
      { name: 'live p99, without', value: p99!, unit: 'ms' },
      { name: 'live p99, while it drains', value: p99During!, unit: 'ms' },
      { name: 'p99, while it drains : without', value: p99During! / p99!, unit: '×', atMost: 1.5 },
      {
        name: 'CPU while it drains, product and Temporal',
        value: usedMs / drainedMs,
        unit: 'cores',
      },
    ];
  } finally {
    await stack.stop();
  }
};

export const redrives: Scenario[] = [
  {
    name: 'redrive',
    title: 'hundreds of parked batches are redriven in bulk, beside live traffic to another',
    run: redrive,
  },
];
