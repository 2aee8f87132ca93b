import { expect, test } from '@jest/globals';
import { createReturnTimes } from '../../src/activities/return-times.ts';

const start = 1_772_618_370_000;

test('returns are spread over seconds, of a connection and of all together', () => {
  const times = createReturnTimes(
    { perConnection: 2, perDestination: 3 },
    () => start,
    () => 0.5,
  );
  const take = (connection: string, inMs: number): number =>
    times.take(connection, start + inMs, start + 3_600_000) - start;
  expect([take('a', 300), take('a', 300), take('a', 300)]).toEqual([300, 300, 1_000]);
  expect([take('b', 0), take('b', 0)]).toEqual([0, 0]); // a stranger does not wait for others
  expect([take('b', 0), take('b', 0), take('b', 0)]).toEqual([1_000, 1_000, 2_000]);
  expect(take('a', 60_000)).toBe(60_000); // what is far away is not drawn near
});

test('nobody is put off for longer than its policy says, and all is free once it works', () => {
  const times = createReturnTimes(
    { perConnection: 1, perDestination: 9 },
    () => start,
    () => 0.5,
  );
  const take = (): number => times.take('a', start, start + 2_000) - start;
  expect([take(), take(), take(), take(), take()]).toEqual([0, 1_000, 2_000, 1_000, 1_000]);
  times.forget('a');
  expect(take()).toBe(0);
});

test('what is past makes no room scarce', () => {
  let now = start;
  const times = createReturnTimes(
    { perConnection: 1, perDestination: 1 },
    () => now,
    () => 0.5,
  );
  expect(times.take('a', 0, now + 60_000)).toBe(start);
  now += 1_000;
  expect(times.take('a', 0, now + 60_000)).toBe(now);
});
