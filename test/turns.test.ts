import { expect, test } from '@jest/globals';
import { createTurns, type Turn } from '../src/turns.ts';
import { eventually } from './support/eventually.ts';

const never = new AbortController().signal;
const work = (ms: number): void => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

test('large work is done one at a time, small goes between', async () => {
  const waits: number[] = [];
  const turns = createTurns((waited) => waits.push(waited));
  const { end } = await turns.large('a', never);
  let second: Turn | undefined;
  void turns.large('a', never).then((turn) => (second = turn));
  turns.small().end();
  expect(second).toBeUndefined();
  end();
  end(); // as often as one likes
  await eventually(() => expect(second).toBeDefined());
  expect(waits).toHaveLength(2);
});

test('who has much of it waits for himself', async () => {
  const turns = createTurns();
  const order: string[] = [];
  const { end } = await turns.large('much', never);
  const all = ['much', 'much', 'much', 'little'].map(async (whose) => {
    const turn = await turns.large(whose, never);
    order.push(whose);
    turn.end();
  });
  end();
  await Promise.all(all);
  expect(order).toEqual(['much', 'little', 'much', 'much']);
});

test('one that is out of time goes on without a turn, and takes none from others', async () => {
  const turns = createTurns();
  const { end } = await turns.large('a', never);
  const over = new AbortController();
  const late = turns.large('a', over.signal);
  over.abort();
  (await late).end();
  (await turns.large('a', over.signal)).end();
  end();
  (await turns.large('a', never)).end();
});

/** An event loop that has been so busy. */
const loop = (active: number, idle: number) => () => ({ active, idle, utilization: 0 });
const timeOf = async (resting: () => Promise<unknown> | undefined): Promise<number> => {
  const began = performance.now();
  await resting();
  return performance.now() - began;
};

test('rests while others have small work, and only then', async () => {
  const turns = createTurns(undefined, loop(290, 10));
  const { breathe, end } = await turns.large('a', never);
  expect(breathe()).toBeUndefined();
  work(20);
  expect(await timeOf(breathe)).toBeLessThan(170);
  turns.small();
  work(20);
  expect(await timeOf(breathe)).toBeGreaterThanOrEqual(170);

  turns.small();
  work(20);
  end();
  expect(await timeOf(() => turns.large('b', never))).toBeGreaterThanOrEqual(170);
});

test('the more else the thread does, the longer large work rests', async () => {
  const restWhere = async (load: ReturnType<typeof loop>): Promise<number> => {
    const turns = createTurns(undefined, load);
    const { breathe, end } = await turns.large('a', never);
    turns.small();
    work(20);
    const ms = await timeOf(breathe);
    end();
    return ms;
  };
  const idle = await restWhere(loop(20, 280));
  expect(idle).toBeGreaterThanOrEqual(4);
  expect(await restWhere(loop(290, 10))).toBeGreaterThan(idle);
});
