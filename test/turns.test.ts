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

test('rests while others have small work, and only then', async () => {
  const turns = createTurns();
  const { breathe, end } = await turns.large('a', never);
  expect(breathe()).toBeUndefined();
  work(60);
  let began = performance.now();
  await breathe();
  expect(performance.now() - began).toBeLessThan(12);
  turns.small();
  work(60);
  began = performance.now();
  await breathe();
  expect(performance.now() - began).toBeGreaterThanOrEqual(14);

  turns.small();
  work(60);
  began = performance.now();
  end();
  await turns.large('b', never);
  expect(performance.now() - began).toBeGreaterThanOrEqual(14);
});

test('the more else the thread does, the longer large work rests', async () => {
  const restWhere = async (load: { active: number; idle: number }): Promise<number> => {
    const turns = createTurns(undefined, () => ({ ...load, utilization: 0 }));
    const { breathe, end } = await turns.large('a', never);
    turns.small();
    work(20);
    const began = performance.now();
    await breathe();
    const ms = performance.now() - began;
    end();
    return ms;
  };
  const idle = await restWhere({ active: 20, idle: 280 });
  const busy = await restWhere({ active: 290, idle: 10 });
  expect(idle).toBeGreaterThanOrEqual(4);
  expect(busy).toBeGreaterThanOrEqual(170); // however busy, it gets a tenth
  expect(idle).toBeLessThan(busy / 2);
});
