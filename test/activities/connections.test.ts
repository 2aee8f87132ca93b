import { expect, test } from '@jest/globals';
import { createConnections, type Connections } from '../../src/activities/connections.ts';

const start = 1_772_618_370_000;
const down = { words: '503 down', code: 'unavailable' } as const;
const throttled = { words: '429', code: 'rate_limited' } as const;
const origin = 'https://partner.example';

const open = (throttles: 'connection' | 'destination' = 'connection') => {
  let now = start;
  const news: string[] = [];
  const connections = createConnections({
    requestsAtOnce: 64,
    throttles,
    onHealth: ({ scope, name, failure, connections: concerned }) =>
      news.push(
        `${scope} ${name} ${failure === undefined ? 'works' : 'fails'}: ${concerned.join(' ')}`,
      ),
    now: () => now,
  });
  return {
    connections,
    /** What was told since this was last asked for. */
    news: () => news.splice(0),
    pass: (ms: number) => {
      now += ms;
    },
    /** Sends by a connection, and fails there. */
    fail: (name: string, failure: Parameters<Connections['failed']>[1] = down, pauseMs = 0) => {
      connections.sent(name, origin)(true);
      connections.failed(name, failure, pauseMs);
    },
  };
};

test('one at a time tries a connection that fails, and all may once it works', () => {
  const { connections, pass, news } = open();
  expect(connections.enter('a', false)).toBeDefined();
  connections.failed('a', down, 0);
  connections.failed('a', { ...down, words: '503 still' }, 0);
  expect(news()).toEqual(['connection a fails: a']);
  expect(connections.enter('a', false)).toBeUndefined(); // so soon
  pass(1_000);
  const { isTry, leave } = connections.enter('a', false)!;
  expect(isTry).toBe(true);
  expect(connections.enter('a', false)).toBeUndefined();
  leave();
  leave();
  expect(connections.mayEnter('a', false)).toBe(true);
  expect(connections.failure('a')).toEqual({ words: '503 still', code: 'unavailable' });
  expect(connections.enter('b', true)).toBeDefined();
  connections.recovered('a', start - 1); // sent before it failed
  expect(news()).toEqual([]);
  connections.recovered('a', start + 1_000);
  connections.recovered('a', start + 1_000);
  expect(news()).toEqual(['connection a works: a']);
  expect(connections.enter('a', true)).toMatchObject({ isTry: false });
});

test('several connections that fail at one origin keep the others from it, until one works', () => {
  const { connections, pass, news, fail } = open();
  connections.sent('fine', origin)(true);
  connections.sent('elsewhere', 'https://other.example')(true);
  for (const name of ['a', 'b']) fail(name);
  connections.recovered('fine', start);
  for (const name of ['a', 'b']) fail(name);
  expect(connections.mayEnter('fine', false)).toBe(true); // success came between
  fail('c');
  expect(news().at(-1)).toBe(`origin ${origin} fails: fine a b c`);
  expect(connections.mayEnter('fine', false)).toBe(false);
  expect(connections.mayEnter('elsewhere', false)).toBe(true);
  pass(1_000);
  const { isTry, leave } = connections.enter('fine', true)!;
  expect(isTry).toBe(true);
  expect(connections.enter('a', false)).toBeUndefined();
  connections.recovered('fine', start + 1_000);
  leave();
  expect(news()).toEqual([
    ...['a', 'b', 'c'].map((name) => `connection ${name} works: ${name}`),
    `origin ${origin} works: fine a b c`,
  ]);
  expect(connections.enter('a', true)).toMatchObject({ isTry: false });
});

test('when an origin works again, those that were asked to wait still do', () => {
  const { connections, pass, fail } = open();
  fail('a', down, 60_000);
  for (const name of ['b', 'c']) fail(name);
  pass(1_000);
  expect(connections.enter('b', false)).toBeDefined();
  connections.recovered('b', start + 1_000);
  expect(connections.mayEnter('c', true)).toBe(true);
  expect(connections.mayEnter('a', false)).toBe(false);
  pass(60_000);
  expect(connections.mayEnter('a', false)).toBe(true);
});

test('accounts that are refused or throttled say nothing of their origin', () => {
  const { connections, fail } = open();
  connections.sent('fine', origin)(true);
  fail('a', throttled, 9_000);
  fail('b', throttled, 9_000);
  fail('c', { words: '401', code: 'refused' });
  expect(connections.mayEnter('fine', false)).toBe(true);
});

test('a throttle concerns the connection, or all where the partner counts by the sender', () => {
  for (const [throttles, others] of [
    ['connection', true],
    ['destination', false],
  ] as const) {
    const { connections, pass, news, fail } = open(throttles);
    connections.sent('fine', origin)(true);
    fail('a', throttled, 30_000);
    pass(29_000);
    expect(connections.mayEnter('a', false)).toBe(false);
    expect(connections.mayEnter('fine', false)).toBe(others);
    pass(1_000);
    expect(connections.enter('fine', true)).toMatchObject({ isTry: !others });
    connections.recovered('fine', start + 30_000);
    if (!others) expect(news().at(-1)).toBe('destination  works: fine a');
  }
});

test('a connection is overdue once nobody has tried it for long, but not in a pause', () => {
  const { connections, pass } = open();
  expect(connections.isOverdue('a', 10_000)).toBe(false);
  connections.failed('a', throttled, 20_000);
  pass(25_000);
  expect(connections.isOverdue('a', 10_000)).toBe(false);
  pass(5_000);
  expect(connections.isOverdue('a', 10_000)).toBe(true);
  connections.enter('a', false);
  expect(connections.isOverdue('a', 10_000)).toBe(false);
});

test('first passes leave it to continuations, but not for ever', () => {
  const { connections, pass } = open();
  connections.failed('a', down, 0);
  pass(5_000);
  expect(connections.mayEnter('a', true)).toBe(false);
  expect(connections.mayEnter('a', false)).toBe(true);
  pass(15_000);
  expect(connections.mayEnter('a', true)).toBe(true);
});

test('nobody tries before the pause is over that the partner asked for', () => {
  const { connections, pass } = open();
  connections.failed('a', throttled, 30_000);
  pass(29_000);
  expect(connections.mayEnter('a', false)).toBe(false);
  pass(1_000);
  expect(connections.mayEnter('a', false)).toBe(true);
});

test('a request that waits far longer than others did is a failure already', () => {
  const { connections, pass, news } = open();
  const answered = connections.sent('a', origin);
  pass(1_500);
  expect(connections.failure('a')).toBeUndefined();
  pass(1_000);
  expect(connections.failure('a')).toEqual({ words: 'no answer for 2 s', code: 'silent' });
  expect([connections.mayEnter('a', true), connections.mayEnter('a', false)]).toEqual([
    false,
    false,
  ]);
  answered(true);
  expect(news()).toEqual(['connection a works: a']);
  expect(connections.mayEnter('a', true)).toBe(true);
});

test('a partner that is slow by habit is not silent', () => {
  const { connections, pass } = open();
  for (let n = 0; n < 20; n++) {
    const answered = connections.sent('slow', origin);
    pass(1_800);
    answered(true);
  }
  connections.sent('slow', origin);
  pass(4_000);
  expect(connections.failure('slow')).toBeUndefined();
  pass(2_000);
  expect(connections.failure('slow')).toBeDefined();
});
