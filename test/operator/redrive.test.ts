import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { progressQuery, redriveId, type RedriveProgress } from '../../src/delivery.ts';
import { eventually } from '../support/eventually.ts';
import { record } from './record-history.ts';
import { openOperated, type Operated } from './redrives.ts';

const spentAtOnce = { retry: { giveUpAfter: '0s' } };

let operated: Operated;
beforeAll(async () => {
  operated = await openOperated({
    plain: {},
    reasons: { ...spentAtOnce, connections: true },
    owned: { connections: true },
    shared: {},
    late: { retry: { firstDelay: '10m', maxDelay: '10m' } },
    paced: {},
    ended: {},
    idle: {},
  });
}, 60_000);
afterAll(() => operated.close(), 60_000);

test('counts, changes nothing in a dry run or unasked, and then sends all that is parked', async () => {
  const { answer, post, taken, untilStuck, redrive, partner } = operated;
  answer('/plain', 401);
  await post('plain', 5);
  await untilStuck('plain', 5);
  answer('/plain', 200);
  const requests = partner.received.length;

  const dry = await redrive('--destination', 'plain', '--dry-run');
  expect(dry).toMatchObject({ code: 0, err: '' });
  expect(dry.out).toContain('5 batches with events parked at plain\n');
  expect(dry.out).toContain('5 events in 5 batches, refused 5\n');
  expect(dry.out).toContain('Nothing was changed');

  const unasked = await redrive('--destination', 'plain');
  expect(unasked.code).toBe(2);
  expect(unasked.err).toContain('--yes');
  expect(partner.received).toHaveLength(requests);
  await untilStuck('plain', 5);

  const done = await redrive('--destination', 'plain', '--since', '1h', '--yes');
  expect(done).toMatchObject({ code: 0 });
  expect(done.out).toContain('done 5, failed 0, left 0\n');
  await untilStuck('plain', 0);
  await eventually(() => expect(taken('/plain')).toBe(5)); // released, and then sent
}, 60_000);

test('sends only what failed for a reason', async () => {
  const { answer, post, taken, untilStuck, redrive } = operated;
  answer('/reasons', 429);
  answer('/reasons-of-shop', 503);
  await post('reasons', 2, 'website');
  await post('reasons', 3, 'shop');
  await untilStuck('reasons', 5);
  answer('/reasons', 200);
  answer('/reasons-of-shop', 200);

  const nothing = await redrive('--destination', 'reasons', '--reason', 'silent', '--yes');
  expect(nothing.code).toBe(2);
  expect(nothing.err).toMatch(/^Nothing is stuck at reasons, that last failed for silent\./);

  const some = await redrive('--destination', 'reasons', '--reason', 'rate_limited', '--yes');
  expect(some).toMatchObject({ code: 0 });
  expect(some.out).toContain('2 events in 2 batches, rate_limited 2\n');
  await untilStuck('reasons', 3);
  await eventually(() => expect(taken('/reasons')).toBe(2)); // released, and then sent
  expect(taken('/reasons-of-shop')).toBe(0);
}, 60_000);

test("sends one source's events, where it has settings of its own", async () => {
  const { answer, post, taken, untilStuck, redrive } = operated;
  answer('/owned', 401);
  answer('/owned-of-shop', 401);
  await post('owned', 1, 'website');
  await post('owned', 2, 'shop');
  await untilStuck('owned', 3);
  answer('/owned', 200);
  answer('/owned-of-shop', 200);
  const done = await redrive('--destination', 'owned', '--source', 'shop', '--yes');
  expect(done.out).toContain('2 batches with events parked at owned/shop\n');
  await untilStuck('owned', 1);
  await eventually(() => expect(taken('/owned-of-shop')).toBe(2)); // released, and then sent
  expect(taken('/owned')).toBe(0);
}, 60_000);

test("sends one source's batches, where it shares settings, and says what else goes", async () => {
  const { answer, post, taken, untilStuck, redrive } = operated;
  answer('/shared', 401);
  await post('shared', 1, 'website');
  await post('shared', 2, 'shop');
  await untilStuck('shared', 3);
  answer('/shared', 200);
  const done = await redrive('--destination', 'shared', '--source', 'shop', '--yes');
  expect(done.out).toContain('2 batches with events parked at shared, of shop\n');
  expect(done.out).toContain('shop has no settings of its own at shared');
  await untilStuck('shared', 1);
  await eventually(() => expect(taken('/shared')).toBe(2)); // released, and then sent
}, 60_000);

test('--now hurries what waits for its next try', async () => {
  const { answer, post, taken, partner, redrive } = operated;
  answer('/late', 503);
  await post('late', 2);
  // Each has failed in an attempt of its own, so that neither comes by itself within minutes.
  await partner.until((received) => {
    const late = received.filter(({ path }) => path === '/late');
    return new Set(late.map(({ headers }) => headers['webhook-id'])).size === 2;
  });
  const without = await redrive('--destination', 'late', '--yes');
  expect(without.code).toBe(2);
  expect(without.err).toContain('--now');
  answer('/late', 200);
  await eventually(async () => {
    const { out } = await redrive('--destination', 'late', '--now', '--dry-run');
    expect(out).toContain('2 deliveries wait, in 2 batches\n');
  });
  const done = await redrive('--destination', 'late', '--now', '--yes');
  // The first that gets through has the process call the other back: either may be quicker.
  expect(done.out).toMatch(/deliveries hurried: [12]/);
  await eventually(() => expect(taken('/late')).toBe(2));
}, 60_000);

test('pauses, refuses a second one meanwhile, goes on, and is shown', async () => {
  const { answer, post, taken, untilStuck, redrive, beginRedrive, client } = operated;
  answer('/paced', 401);
  await post('paced', 8);
  await untilStuck('paced', 8);
  answer('/paced', 200);
  const first = beginRedrive('--destination', 'paced', '--rate', '1/s', '--yes');
  await eventually(() => expect(taken('/paced')).toBeGreaterThan(0));
  const paused = await redrive('--destination', 'paced', '--pause');
  expect(paused).toMatchObject({ code: 0, err: '' });

  const handle = client().workflow.getHandle(redriveId('paced'));
  let taken0 = 0;
  await eventually(async () => {
    // With no activity under way or due it does nothing until it is told to.
    const { raw } = await handle.describe();
    expect(raw.pendingActivities ?? []).toEqual([]);
    const progress = await handle.query<RedriveProgress>(progressQuery);
    expect(progress.state).toBe('paused');
    expect(progress.left).toBe(8 - progress.done);
    taken0 = progress.done;
  });
  expect(taken0).toBeLessThan(8);

  const second = await redrive('--destination', 'paced', '--yes');
  expect(second.code).toBe(2);
  expect(second.err).toContain('A redrive of paced is under way');
  expect((await redrive('--list')).out).toContain(`paced: done ${taken0}, failed 0, left `);

  first.kill('SIGINT');
  expect(await first.exited).toBe(130);
  expect(first.stdout()).toContain('The redrive goes on without this window');

  await redrive('--destination', 'paced', '--resume', '--rate', '20/s');
  const attached = await redrive('--destination', 'paced', '--attach');
  expect(attached).toMatchObject({ code: 0 });
  expect(attached.out).toContain('done 8, failed 0, left 0\n');
  await untilStuck('paced', 0);
  await eventually(() => expect(taken('/paced')).toBe(8)); // released, and then sent
  await record('redrive-paused-and-resumed', handle);
  const over = await redrive('--destination', 'paced', '--pause');
  expect(over).toMatchObject({ code: 2, err: 'No redrive of paced is under way.\n' });
}, 90_000);

test('a cancelled one leaves the rest parked', async () => {
  const { answer, post, taken, untilStuck, redrive, beginRedrive, client } = operated;
  answer('/ended', 401);
  await post('ended', 4);
  await untilStuck('ended', 4);
  answer('/ended', 200);
  const first = beginRedrive('--destination', 'ended', '--rate', '1/m', '--yes');
  await eventually(() => expect(taken('/ended')).toBe(1));
  const cancelled = await redrive('--destination', 'ended', '--cancel');
  expect(cancelled.out).toContain('done 1, failed 0, left 3');
  expect(cancelled.code).toBe(0);
  expect(await first.exited).toBe(1);
  expect(first.stdout()).toContain('ended before its time: cancelled');
  await untilStuck('ended', 3);
  await record('redrive-cancelled', client().workflow.getHandle(redriveId('ended')));
}, 60_000);

test.each([
  [['--destination', 'nowhere'], 'There is no destination named nowhere'],
  [['--destination', "a' OR 'a' = 'a"], 'There is no destination named'],
  [['--destination', 'idle', '--source', 'nobody'], 'There is no source named nobody'],
  [['--destination', 'idle'], 'Nothing is stuck at idle.'],
  [['--destination', 'idle', '--rate', 'fast'], 'such as 20/s'],
  [['--destination', 'idle', '--attach', '--pause'], 'cannot be used with'],
  [['--destination', 'idle', '--resume'], 'No redrive of idle is under way.'],
  [[], 'Say which destination'],
])('%j ends with exit code 2 and words', async (args, words) => {
  const { code, out, err } = await operated.redrive(
    ...args,
    ...(args.length === 2 ? ['--yes'] : []),
  );
  expect(err).toContain(words);
  expect(out).toBe('');
  expect(code).toBe(2);
});
