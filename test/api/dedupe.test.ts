import { describe, expect, test } from '@jest/globals';
import { Overloaded } from '../../src/api/coalescer.ts';
import { createDedupe } from '../../src/api/dedupe.ts';
import { createRememberedIds } from '../../src/api/remembered-ids.ts';

const events = (...ids: string[]) => ids.map((messageId) => ({ event: { messageId } }));

/** A `start` whose fates are decided by hand, in the order of its calls. */
const scriptedStart = () => {
  const started: string[][] = [];
  const fates: { durable: (batch: string) => void; failed: (error: unknown) => void }[] = [];
  const start = (fresh: readonly { event: { messageId: string } }[]): Promise<string> => {
    started.push(fresh.map(({ event }) => event.messageId));
    return new Promise((durable, failed) => fates.push({ durable, failed }));
  };
  return { start, started, fates };
};

const atOnce = (batch: string) => () => Promise.resolve(batch);
const mustNotStart = (): Promise<string> => Promise.reject(new Error('started a repeat'));

describe('a repeat', () => {
  test('of an accepted event is answered without a start', async () => {
    const dedupe = createDedupe();
    await expect(dedupe.submit('website', events('a', 'b'), atOnce('batch-1'))).resolves.toEqual({
      batch: 'batch-1',
      accepted: 2,
    });
    await expect(dedupe.submit('website', events('b', 'a'), mustNotStart)).resolves.toEqual({
      batch: undefined,
      accepted: 0,
    });
  });

  test('within one request counts once', async () => {
    const { start, started, fates } = scriptedStart();
    const answer = createDedupe().submit('website', events('a', 'b', 'a'), start);
    fates[0]!.durable('batch-1');
    await expect(answer).resolves.toEqual({ batch: 'batch-1', accepted: 2 });
    expect(started).toEqual([['a', 'b']]);
  });

  test('of another source is none', async () => {
    const dedupe = createDedupe();
    await dedupe.submit('website', events('a'), atOnce('batch-1'));
    await expect(dedupe.submit('app', events('a'), atOnce('batch-2'))).resolves.toEqual({
      batch: 'batch-2',
      accepted: 1,
    });
    // Nor is one whose source and id read alike when put together.
    await expect(dedupe.submit('websit', events('ea'), atOnce('batch-3'))).resolves.toMatchObject({
      accepted: 1,
    });
  });

  test('beside new events: the new ones alone are started', async () => {
    const dedupe = createDedupe();
    await dedupe.submit('website', events('a'), atOnce('batch-1'));
    const { start, started, fates } = scriptedStart();
    const answer = dedupe.submit('website', events('a', 'b'), start);
    fates[0]!.durable('batch-2');
    await expect(answer).resolves.toEqual({ batch: 'batch-2', accepted: 1 });
    expect(started).toEqual([['b']]);
  });
});

describe('a repeat of an event that is on its way', () => {
  test('waits for it, and is answered with its batch', async () => {
    const dedupe = createDedupe();
    const { start, fates } = scriptedStart();
    const first = dedupe.submit('website', events('a'), start);
    const repeat = dedupe.submit('website', events('a'), mustNotStart);
    const early = await Promise.race([repeat, Promise.resolve('open')]);
    expect(early).toBe('open');
    fates[0]!.durable('batch-1');
    await expect(first).resolves.toEqual({ batch: 'batch-1', accepted: 1 });
    await expect(repeat).resolves.toEqual({ batch: 'batch-1', accepted: 0 });
  });

  test('beside a new one: the batch is the new one’s', async () => {
    const dedupe = createDedupe();
    const { start, fates } = scriptedStart();
    const first = dedupe.submit('website', events('a'), start);
    const both = dedupe.submit('website', events('a', 'b'), start);
    fates[1]!.durable('batch-2');
    fates[0]!.durable('batch-1');
    await first;
    await expect(both).resolves.toEqual({ batch: 'batch-2', accepted: 1 });
  });

  test('shares its failure; then the id is forgotten', async () => {
    const dedupe = createDedupe();
    const { start, fates } = scriptedStart();
    const first = dedupe.submit('website', events('a'), start);
    const repeat = dedupe.submit('website', events('a'), mustNotStart);
    const overloaded = new Overloaded(503, 'later', 2);
    fates[0]!.failed(overloaded);
    await expect(first).rejects.toBe(overloaded);
    await expect(repeat).rejects.toBe(overloaded);
    await expect(dedupe.submit('website', events('a'), atOnce('batch-2'))).resolves.toEqual({
      batch: 'batch-2',
      accepted: 1,
    });
  });

  test('fails the request that it came in; the rest of that is accepted all the same', async () => {
    const dedupe = createDedupe();
    const { start, started, fates } = scriptedStart();
    const first = dedupe.submit('website', events('a'), start);
    const both = dedupe.submit('website', events('a', 'b'), start);
    fates[1]!.durable('batch-2');
    const overloaded = new Overloaded(503, 'later', 2);
    fates[0]!.failed(overloaded);
    await expect(first).rejects.toBe(overloaded);
    await expect(both).rejects.toBe(overloaded);

    const again = dedupe.submit('website', events('a', 'b'), start);
    fates[2]!.durable('batch-3');
    await expect(again).resolves.toEqual({ batch: 'batch-3', accepted: 1 });
    expect(started).toEqual([['a'], ['b'], ['a']]);
  });
});

test('what is refused at once is forgotten as well', async () => {
  const dedupe = createDedupe();
  const throws = (): Promise<string> => {
    throw new Overloaded(429, 'slower', 1);
  };
  await expect(dedupe.submit('website', events('a'), throws)).rejects.toThrow('slower');
  await expect(dedupe.submit('website', events('a'), atOnce('batch-1'))).resolves.toMatchObject({
    accepted: 1,
  });
});

test('ids older than the window are forgotten', async () => {
  const dedupe = createDedupe(createRememberedIds(64 * 48));
  await dedupe.submit('website', events('old'), atOnce('batch-1'));
  for (let n = 0; n < 10; n++) {
    const ids = Array.from({ length: 2_500 }, (_, m) => `${n}-${m}`);
    await dedupe.submit('website', events(...ids), atOnce('batch-2'));
  }
  await expect(dedupe.submit('website', events('old'), atOnce('batch-3'))).resolves.toMatchObject({
    accepted: 1,
  });
});
