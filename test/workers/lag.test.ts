import { expect, test } from '@jest/globals';
import { createLag } from '../../src/workers/lag.ts';

const open = () => {
  let now = 1_000_000;
  const lag = createLag(() => now);
  return {
    lag,
    pass: (ms: number) => {
      now += ms;
    },
  };
};

test('a destination that is behind alone says nothing of the cluster, most of them do', () => {
  const { lag } = open();
  expect(lag.ms()).toBe(0);
  lag.observe('one', 30);
  expect(lag.ms()).toBe(30);
  lag.observe('behind', 9_000);
  expect(lag.ms()).toBe(30); // of two, it is believed that is better off
  lag.observe('two', 40);
  expect(lag.ms()).toBe(40);
  lag.observe('late', 8_000);
  expect(lag.ms()).toBe(40);
  lag.observe('later', 8_500);
  expect(lag.ms()).toBe(8_000);
});

test('follows what is so for a while, not single waits, and forgets', () => {
  const { lag, pass } = open();
  lag.observe('one', 20);
  pass(40);
  lag.observe('one', 1_000);
  expect(lag.ms()).toBeLessThan(150);
  for (let n = 0; n < 50; n++) {
    pass(40);
    lag.observe('one', 1_000);
  }
  expect(lag.ms()).toBeGreaterThan(950);
  pass(2_001);
  expect(lag.ms()).toBe(0);
  lag.observe('one', 50);
  expect(lag.ms()).toBeCloseTo(50, -1);
});

test('large batches are told apart', () => {
  const { lag, pass } = open();
  lag.observeHeavy(400);
  expect([lag.ms(), lag.heavyMs()]).toEqual([0, 400]);
  pass(2_001);
  expect(lag.heavyMs()).toBe(0);
});
