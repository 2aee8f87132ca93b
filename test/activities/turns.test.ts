import { expect, test } from '@jest/globals';
import { createTurns } from '../../src/activities/turns.ts';
import { heavyBytes } from '../../src/delivery.ts';

test('large batches take turns, small ones go between them', async () => {
  const waits: number[] = [];
  const turn = createTurns((waited) => waits.push(waited), Date.now);
  const { signal } = new AbortController();
  const end = await turn(heavyBytes, signal);
  let second: (() => void) | undefined;
  const waiting = turn(heavyBytes, signal).then((ended) => (second = ended));
  (await turn(100, signal))();
  expect(second).toBeUndefined();
  end();
  end(); // as often as one likes
  await waiting;
  expect(second).toBeDefined();
  expect(waits).toHaveLength(2);
});

test('one that is out of time goes on without a turn, and takes none from others', async () => {
  const turn = createTurns(() => undefined, Date.now);
  const end = await turn(heavyBytes, new AbortController().signal);
  const over = new AbortController();
  const late = turn(heavyBytes, over.signal);
  over.abort();
  (await late)();
  end();
  (await turn(heavyBytes, new AbortController().signal))();
});
