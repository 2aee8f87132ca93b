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

test('what most destinations wait counts, where they are not to blame themselves', () => {
  const { lag } = open();
  expect(lag.ms()).toBe(0);
  lag.observe('one', 30, false);
  lag.observe('unlucky', 1_500, false);
  expect(lag.ms()).toBe(30); // of two, the one that is better off is believed
  lag.observe('two', 40, false);
  lag.observe('three', 50, false);
  expect(lag.ms()).toBe(40);
  for (const full of ['a', 'b', 'c', 'd', 'e']) lag.observe(full, 1_800, true);
  expect(lag.ms()).toBe(40);
});

test('where all may be to blame, the shortest counts', () => {
  const { lag } = open();
  lag.observe('one', 1_700, true);
  lag.observe('two', 900, true);
  lag.observe('three', 1_800, true);
  expect(lag.ms()).toBe(900);
});

test('follows what is so for a while, not single waits, and forgets', () => {
  const { lag, pass } = open();
  lag.observe('one', 20, false);
  for (let n = 0; n < 20; n++) {
    pass(40);
    lag.observe('one', 20, false);
  }
  lag.observe('one', 1_000, false);
  expect(lag.ms()).toBeLessThan(150);
  for (let n = 0; n < 50; n++) {
    pass(40);
    lag.observe('one', 1_000, false);
  }
  expect(lag.ms()).toBeGreaterThan(950);
  lag.observe('one', 3_600_000, false); // remembered no longer than any other
  expect(lag.ms()).toBeLessThan(1_500);
  pass(2_001);
  expect(lag.ms()).toBe(0);
  lag.observe('one', 50, false);
  expect(lag.ms()).toBe(50);
});

test('waits that end together count alike', () => {
  const { lag } = open();
  for (const waitedMs of [10, 20, 60]) lag.observe('one', waitedMs, false);
  expect(lag.ms()).toBe(30);
});

test('large batches are told apart', () => {
  const { lag, pass } = open();
  lag.observeHeavy(400);
  expect([lag.ms(), lag.heavyMs()]).toEqual([0, 400]);
  pass(2_001);
  expect(lag.heavyMs()).toBe(0);
});
