import { afterEach, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { openOperated, type Operated } from './redrives.ts';

let operated: Operated;
afterEach(() => operated.close(), 60_000);

test.each(['the product', 'the product and its Temporal'])(
  'a redrive goes on after a kill -9 of %s in its middle, and loses none',
  async (killed) => {
    operated = await openOperated({ hook: { retry: { giveUpAfter: '1s' } } });
    const { answer, post, taken, untilStuck, redrive, beginRedrive, killAndStart } = operated;
    const batches = 30;
    answer('/hook', 503);
    await post('hook', batches);
    await untilStuck('hook', batches);
    answer('/hook', 200);
    const first = beginRedrive('--destination', 'hook', '--rate', '3/s', '--yes');
    await eventually(() => expect(taken('/hook')).toBeGreaterThan(5));
    await killAndStart(killed.endsWith('Temporal'));
    expect(taken('/hook')).toBeLessThan(batches);

    const attached = await redrive('--destination', 'hook', '--attach');
    expect(attached.out).toContain(`done ${batches}, failed 0, left 0\n`);
    expect(attached.code).toBe(0);
    if (!killed.endsWith('Temporal')) expect(await first.exited).toBe(0);
    await untilStuck('hook', 0);
    // What was being delivered when the worker was killed is sent once more.
    expect(taken('/hook')).toBeGreaterThanOrEqual(batches);
    expect(operated.different('/hook')).toBe(batches);
  },
  180_000,
);
