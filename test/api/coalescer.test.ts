import { expect, jest, test } from '@jest/globals';
import {
  createCoalescer,
  defaultLimits,
  Overloaded,
  type Coalescer,
  type CoalescerLimits,
} from '../../src/api/coalescer.ts';
import { BatchTooLarge } from '../../src/api/start-batch.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { AcceptedEvent, SourceEvents } from '../../src/temporal/events-encoding.ts';
import { trackEvent } from '../support/events.ts';

/** A start that has been asked for and not answered. */
interface Asked {
  parts: SourceEvents[];
  answer: (batch: string) => void;
  fail: (error: Error) => void;
}

/** A coalescer whose starts are answered by hand. */
const byHand = (limits: Partial<CoalescerLimits> = {}, lagMs = 0, heavyLagMs = 0) => {
  const asked: Asked[] = [];
  let seen = 0;
  let wake: () => void = () => undefined;
  const coalescer: Coalescer = createCoalescer({
    start: (parts) =>
      new Promise((answer, fail) => {
        asked.push({ parts: [...parts], answer, fail });
        wake();
      }),
    lagMs: () => lagMs,
    heavyLagMs: () => heavyLagMs,
    metrics: createMetrics().batches,
    log: createLog('silent'),
    limits: { ...defaultLimits, ...limits },
  });
  /** The next start, once it is asked for. */
  const next = async (): Promise<Asked> => {
    while (asked.length <= seen) await new Promise<void>((resolve) => (wake = resolve));
    return asked[seen++]!;
  };
  const submit: Coalescer['submit'] = (source, batch) => {
    const durable = coalescer.submit(source, batch);
    durable.catch(() => undefined); // not every test waits for every answer
    return durable;
  };
  return { submit, asked, next };
};

const events = (count: number, prefix = 'm', padding = ''): AcceptedEvent[] =>
  Array.from({ length: count }, (_, n) => {
    const event = trackEvent({ messageId: `${prefix}-${n}`, properties: { padding } });
    return { event, json: JSON.stringify(event) };
  });
const counts = ({ parts }: Asked): Record<string, number> =>
  Object.fromEntries(parts.map((part) => [part.source, part.events.length]));

test('idle: starts at once, and answers only when the start is durable', async () => {
  const { submit, next } = byHand({ shortestGapMs: 5_000, longestGapMs: 5_000 });
  const began = Date.now();
  let answered = false;
  const durable = submit('a', events(1)).finally(() => (answered = true));
  const start = await next();
  expect(Date.now() - began).toBeLessThan(1_000);
  expect(answered).toBe(false);
  start.answer('batch-1');
  expect(await durable).toBe('batch-1');
});

test('busy: what arrives within a gap shares one batch, whatever its source', async () => {
  const { submit, next, asked } = byHand({ shortestGapMs: 60 });
  void submit('a', events(1));
  (await next()).answer('batch-1');
  const rest = [submit('a', events(2)), submit('b', events(3)), submit('c', events(1))];
  const second = await next();
  expect(counts(second)).toEqual({ a: 2, b: 3, c: 1 });
  second.answer('batch-2');
  expect(await Promise.all(rest)).toEqual(['batch-2', 'batch-2', 'batch-2']);
  expect(asked).toHaveLength(2);
});

test('the gap grows with the lag of the cluster, and has a bound', async () => {
  const gap = async (lagMs: number): Promise<number> => {
    const { submit, next } = byHand({ shortestGapMs: 20, longestGapMs: 500 }, lagMs);
    void submit('a', events(1));
    (await next()).answer('batch-1');
    const began = Date.now();
    void submit('a', events(1));
    (await next()).answer('batch-2');
    return Date.now() - began;
  };
  // A busy machine may take long for one of them, but hardly for each of three.
  const idle = Math.min(await gap(0), await gap(0), await gap(0));
  const [behind, farBehind] = [await gap(200), await gap(10_000)];
  expect(idle).toBeLessThan(200);
  expect(behind).toBeGreaterThanOrEqual(200);
  expect(farBehind).toBeGreaterThanOrEqual(450);
  expect(farBehind).toBeLessThan(5_000);
});

test('a full batch does not wait for the gap, and no request is split', async () => {
  const { submit, next } = byHand({ events: 10, shortestGapMs: 2_000, longestGapMs: 2_000 });
  void submit('a', events(1));
  (await next()).answer('batch-1');
  void submit('a', events(6));
  void submit('b', events(6));
  const began = Date.now();
  expect(counts(await next())).toEqual({ a: 6 });
  expect(Date.now() - began).toBeLessThan(1_000);
});

test('bytes bound a batch as well; a larger request has one of its own', async () => {
  const { submit, next } = byHand({ bytes: 3_000, shortestGapMs: 30 });
  void submit('first', events(1));
  (await next()).answer('batch-1');
  void submit('a', events(1, 'a', 'x'.repeat(10_000)));
  void submit('b', events(1, 'b', 'x'.repeat(100)));
  expect(counts(await next())).toEqual({ a: 1 });
  expect(counts(await next())).toEqual({ b: 1 });
});

test('a busy source has batches of its own, and takes turns with the others, who share', async () => {
  const { submit, next } = byHand({ events: 100, ownBatchEvents: 50, shortestGapMs: 30 });
  void submit('first', events(1));
  (await next()).answer('batch-1');
  for (let n = 0; n < 4; n++) void submit('flood', events(50));
  void submit('a', events(1));
  void submit('b', events(1));
  const batches = [await next(), await next(), await next()].map(counts);
  expect(batches).toContainEqual({ a: 1, b: 1 });
  expect(batches.filter((batch) => 'flood' in batch)).toEqual([{ flood: 100 }, { flood: 100 }]);
  expect(batches.findIndex((batch) => 'a' in batch)).toBeLessThan(2);
});

test('what cannot be started is given back with 503, and its memory with it', async () => {
  const { submit, next } = byHand({ heldBytesOfSource: 1_000 });
  for (let n = 0; n < 20; n++) {
    const refused = submit('a', events(1));
    (await next()).fail(new Error('14 UNAVAILABLE'));
    await expect(refused).rejects.toMatchObject({ status: 503, retryAfterSeconds: 2 });
  }
});

test('a source that holds its share gets 429 while others are taken; all full: 503', async () => {
  const [event] = events(1);
  const size = event!.json.length;
  const { submit } = byHand({ heldBytes: 5 * size, heldBytesOfSource: 3 * size });
  void submit('a', events(3));
  await expect(submit('a', events(1))).rejects.toMatchObject({ status: 429 });
  void submit('b', events(2));
  await expect(submit('c', events(1))).rejects.toMatchObject({ status: 503 });
  await expect(submit('c', events(1))).rejects.toBeInstanceOf(Overloaded);
});

test('events do not wait for ever behind starts that hang', async () => {
  const { submit, next } = byHand({ starts: 1, patienceMs: 50, longestGapMs: 20 });
  void submit('a', events(1));
  await next();
  await expect(submit('b', events(1))).rejects.toMatchObject({ status: 503 });
});

test('nor while others keep coming', async () => {
  const { submit, next } = byHand({ starts: 1, patienceMs: 160, longestGapMs: 5_000 });
  void submit('a', events(1));
  await next();
  const first = submit('b', events(1));
  const traffic = setInterval(() => void submit('c', events(1)), 5);
  await expect(first).rejects.toMatchObject({ status: 503 });
  clearInterval(traffic);
});

test('a clock that is set back holds nothing up', async () => {
  const { submit, next } = byHand({ shortestGapMs: 30 });
  void submit('a', events(1));
  (await next()).answer('batch-1');
  const { now } = Date;
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() - 3_600_000);
  try {
    void submit('a', events(2));
    expect(counts(await next())).toEqual({ a: 2 });
  } finally {
    clock.mockRestore();
  }
});

test('a batch that is full of bytes does not wait for the gap either', async () => {
  const { submit, next } = byHand({ bytes: 2_000, shortestGapMs: 2_000, longestGapMs: 2_000 });
  void submit('first', events(1));
  (await next()).answer('batch-1');
  const began = Date.now();
  void submit('a', events(1, 'a', 'x'.repeat(3_000)));
  expect(counts(await next())).toEqual({ a: 1 });
  expect(Date.now() - began).toBeLessThan(1_000);
});

test('a batch that Temporal finds too large is halved, down to the request at fault', async () => {
  const { submit, next } = byHand({ shortestGapMs: 30 });
  void submit('first', events(1));
  (await next()).answer('batch-1');
  const fine = submit('a', events(1));
  const huge = submit('b', events(1));
  (await next()).fail(new BatchTooLarge('2 MiB'));
  const halves = [await next(), await next()];
  for (const half of halves) {
    if ('b' in counts(half)) half.fail(new BatchTooLarge('2 MiB'));
    else half.answer('batch-2');
  }
  expect(await fine).toBe('batch-2');
  await expect(huge).rejects.toBeInstanceOf(BatchTooLarge);
});

test('a busy source waits for its own last batch, as long as large ones wait for their turn', async () => {
  const { submit, next, asked } = byHand({ shortestGapMs: 1 }, 0, 400);
  const flood = (): void => void submit('flood', events(10, 'f', 'x'.repeat(60_000)));
  flood();
  (await next()).answer('batch-1');
  flood();
  void submit('small', events(1));
  expect(counts(await next())).toEqual({ small: 1 });
  expect(asked).toHaveLength(2);
  const since = Date.now();
  expect(counts(await next())).toEqual({ flood: 10 });
  expect(Date.now() - since).toBeGreaterThan(200);
});
