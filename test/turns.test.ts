import { beforeEach, expect, test } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createTurns, type Turn, type Turns } from '../src/turns.ts';

const never = new AbortController().signal;

/** Time that passes when it is told to, and an event loop that is as busy as it is said to be. */
let clock: number;
let otherLoad: number;
let rests: number[];
let turns: Turns;
const work = (ms: number): void => void (clock += ms);
beforeEach(() => {
  clock = 0;
  otherLoad = 0;
  rests = [];
  turns = createTurns({
    now: () => clock,
    loadSince: () => ({
      active: 20 + otherLoad * 1_000,
      idle: 980 - otherLoad * 1_000,
      utilization: 0,
    }),
    rest: (ms) => {
      rests.push(ms);
      return nextTurn();
    },
  });
});

/** Whether somebody has been called. */
const taking = (whose: string, over = never) => {
  let turn: Turn | undefined;
  void turns.large(whose, over).then((taken) => (turn = taken));
  return async (): Promise<Turn | undefined> => {
    for (let loops = 0; loops < 3; loops++) await nextTurn();
    return turn;
  };
};

test('large work is done one at a time, small goes between', async () => {
  const first = await turns.large('a', never);
  const second = taking('a');
  turns.small().end();
  expect(await second()).toBeUndefined();
  first.end();
  first.end(); // as often as one likes
  const third = taking('a');
  expect(await second()).toBeDefined();
  expect(await third()).toBeUndefined();
  (await second())!.end();
  expect(await third()).toBeDefined();
});

test('who has much of it waits for himself', async () => {
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
  const { end } = await turns.large('a', never);
  const over = new AbortController();
  const late = turns.large('a', over.signal);
  const next = taking('b');
  over.abort();
  (await late).end();
  (await turns.large('a', over.signal)).end();
  expect(await next()).toBeUndefined();
  end();
  (await next())!.end();
  (await turns.large('a', never)).end();
});

test('rests while others have small work, and only then', async () => {
  otherLoad = 0.3; // so that half of the time is left
  const { breathe, end } = await turns.large('a', never);
  expect(breathe()).toBeUndefined();
  work(20);
  await breathe();
  expect(rests).toEqual([]);
  turns.small();
  work(20);
  await breathe();
  expect(rests).toEqual([20]);
  work(20);
  end();
  expect(rests).toEqual([20, 20]);
  work(1_000);
  await (await turns.large('b', never)).breathe();
  expect(rests).toHaveLength(2);
});

test.each([
  [0, 5],
  [0.3, 20],
  [0.6, 80],
  [0.9, 180], // however busy, it gets a tenth
])('with %d of the time taken by others it rests for %d ms after 20', async (load, ms) => {
  otherLoad = load;
  const { breathe } = await turns.large('a', never);
  turns.small();
  work(20);
  await breathe();
  expect(rests[0]).toBeCloseTo(ms, 5);
});

test('rests that are too short for a timer are owed', async () => {
  const { breathe } = await turns.large('a', never);
  turns.small();
  for (let pieces = 0; pieces < 8; pieces++) {
    work(1);
    await breathe();
  }
  expect(rests).toHaveLength(2);
  for (const ms of rests) expect(ms).toBeGreaterThanOrEqual(1);
});

test('what it waited for is no work, nor is what no thread works on for so long', async () => {
  otherLoad = 0.9;
  const { breathe, resume } = await turns.large('a', never);
  work(200);
  resume();
  expect(breathe()).toBeUndefined();
  work(200);
  turns.small();
  await breathe();
  expect(rests[0]).toBeCloseTo(450, 5);
});

test('once it is over it rests no more', async () => {
  otherLoad = 0.7;
  const over = new AbortController();
  const { breathe } = await turns.large('a', over.signal);
  turns.small();
  over.abort();
  work(20);
  await breathe();
  expect(rests).toEqual([]);
});
