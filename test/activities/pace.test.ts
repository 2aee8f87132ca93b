import { expect, jest, test } from '@jest/globals';
import { createPace } from '../../src/activities/pace.ts';

const never = new AbortController().signal;

test('takes no turn that would come too late', async () => {
  const pace = createPace(10);
  expect(await pace.turn(never, performance.now() + 10)).toBe(true);
  expect(pace.aheadMs()).toBeGreaterThan(50);
  expect(await pace.turn(never, performance.now() + 10)).toBe(false);
  expect(await pace.turn(never, performance.now() + 1_000)).toBe(true);
});

test('a clock that is set back delays no turn', async () => {
  const pace = createPace(100);
  expect(await pace.turn(never, Infinity)).toBe(true);
  const { now } = Date;
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() - 3_600_000);
  try {
    expect(pace.aheadMs()).toBeLessThanOrEqual(10);
    expect(await pace.turn(never, performance.now() + 1_000)).toBe(true);
  } finally {
    clock.mockRestore();
  }
});
