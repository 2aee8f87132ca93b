import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
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
  const turns = createTurns();
  const restAfter = async (otherMs: number): Promise<number> => {
    // Long enough to be measured: all but the turn's own work.
    const until = performance.now() + 300;
    while (performance.now() < until) {
      work(otherMs);
      await sleep(10 - otherMs);
    }
    const turn = await turns.large('a', never);
    turns.small();
    work(20);
    await turn.breathe();
    work(20);
    const began = performance.now();
    await turn.breathe();
    const ms = performance.now() - began;
    turn.end();
    return ms;
  };
  const idle = await restAfter(0);
  expect(await restAfter(8)).toBeGreaterThan(2 * idle);
});
