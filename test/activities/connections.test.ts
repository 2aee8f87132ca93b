import { expect, test } from '@jest/globals';
import { createConnections, type Connections } from '../../src/activities/connections.ts';

const open = (): { connections: Connections; pass: (ms: number) => void } => {
  let now = 1_772_618_370_000;
  return {
    connections: createConnections(64, () => now),
    pass: (ms) => {
      now += ms;
    },
  };
};

test('one at a time tries a connection that fails, and all may once it works', () => {
  const { connections, pass } = open();
  expect(connections.enter('a', false)).toBeDefined();
  expect(connections.failed('a', '503 down', 0)).toBe(true);
  expect(connections.failed('a', '503 still', 0)).toBe(false);
  expect(connections.enter('a', false)).toBeUndefined(); // so soon
  pass(1_000);
  const { isTry, leave } = connections.enter('a', false)!;
  expect(isTry).toBe(true);
  expect(connections.enter('a', false)).toBeUndefined();
  leave();
  leave();
  expect(connections.mayEnter('a', false)).toBe(true);
  expect(connections.failure('a')).toBe('503 still');
  expect(connections.enter('b', true)).toBeDefined();
  const [before, after] = [1_772_618_370_000 - 1, 1_772_618_370_000 + 1_000];
  expect(connections.recovered('a', before)).toBe(false); // sent before it failed
  expect(connections.recovered('a', after)).toBe(true);
  expect(connections.recovered('a', after)).toBe(false);
  expect(connections.enter('a', true)).toMatchObject({ isTry: false });
});

test('first passes leave it to continuations, but not for ever', () => {
  const { connections, pass } = open();
  connections.failed('a', 'down', 0);
  pass(5_000);
  expect(connections.mayEnter('a', true)).toBe(false);
  expect(connections.mayEnter('a', false)).toBe(true);
  pass(15_000);
  expect(connections.mayEnter('a', true)).toBe(true);
});

test('nobody tries before the pause is over that the partner asked for', () => {
  const { connections, pass } = open();
  connections.failed('a', '429', 1_772_618_370_000 + 30_000);
  pass(29_000);
  expect(connections.mayEnter('a', false)).toBe(false);
  pass(1_000);
  expect(connections.mayEnter('a', false)).toBe(true);
});

test('a request that waits far longer than others did is a failure already', () => {
  const { connections, pass } = open();
  const answered = connections.sent('a');
  pass(1_500);
  expect(connections.failure('a')).toBeUndefined();
  pass(1_000);
  expect(connections.failure('a')).toBe('no answer for 2 s');
  expect([connections.mayEnter('a', true), connections.mayEnter('a', false)]).toEqual([
    false,
    false,
  ]);
  expect(answered(true)).toBe(true);
  expect(connections.mayEnter('a', true)).toBe(true);
});

test('a partner that is slow by habit is not silent', () => {
  const { connections, pass } = open();
  for (let n = 0; n < 20; n++) {
    const answered = connections.sent('slow');
    pass(1_800);
    answered(true);
  }
  connections.sent('slow');
  pass(4_000);
  expect(connections.failure('slow')).toBeUndefined();
  pass(2_000);
  expect(connections.failure('slow')).toBeDefined();
});
