import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Analytics } from '@segment/analytics-node';
import { randomBytes, randomUUID } from 'node:crypto';
import { createBatchReader } from '../../src/activities/batch-reader.ts';
import { CannotOpen } from '../../src/encryption.ts';
import { findEvent, searchedWords } from '../../src/operator/find-event.ts';
import { timeInId } from '../../src/operator/id-time.ts';
import { whereToLook } from '../../src/operator/where.ts';
import { UserError } from '../../src/user-error.ts';
import { eventually } from '../support/eventually.ts';
import { trackEvent } from '../support/events.ts';
import { startPartner, type Partner } from '../support/partner.ts';
import { openRoad, type Road } from '../support/road.ts';

const now = Date.parse('2026-11-05T12:00:00.000Z');
const made = Date.parse('2026-11-05T11:58:20.123Z');
const hex = made.toString(16).padStart(12, '0');

test('the time of a messageId is read where an SDK puts one', async () => {
  const before = Date.now();
  const ids: string[] = [];
  const analytics = new Analytics({
    writeKey: 'k',
    httpClient: (_url, { body }) => {
      const { batch } = JSON.parse(body) as { batch: { messageId: string }[] };
      ids.push(...batch.map(({ messageId }) => messageId));
      return Promise.resolve(new Response('{"success":true}'));
    },
  });
  analytics.track({ userId: 'ada', event: 'Paid' });
  await analytics.closeAndFlush();
  const time = timeInId(ids[0]!, Date.now());
  expect(time).toBeGreaterThanOrEqual(before);
  expect(time).toBeLessThanOrEqual(Date.now());
});

test.each([
  ['analytics.js', `ajs-next-${made}-7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d01`, made],
  ['no prefix', `${made}-7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d01`, made],
  ['UUID version 7', `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`, made],
  ['ULID', '01ARYZ6S41TSV4RRFFQ69G5FAV', 1_469_918_176_385],
  ['a random UUID', '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d01', undefined],
  ['an older analytics.js', 'ajs-next-0123456789abcdef0123456789abcdef', undefined],
  [
    'a time to come',
    `ajs-next-${now + 2 * 86_400_000}-7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d01`,
    undefined,
  ],
  ['an order', 'order-1762341976731', undefined],
])('the time of a messageId: %s', (_, messageId, time) => {
  expect(timeInId(messageId, now)).toBe(time);
});

test.each([
  [{ around: '2026-11-05T11:00:00+01:00' }, Date.parse('2026-11-05T10:00:00Z')],
  [{ around: '2026-11-05 11:00' }, Date.parse('2026-11-05T11:00:00Z')],
  [{ around: '2h ago' }, now - 7_200_000],
  [{ around: '1.5 m' }, now - 90_000],
])('where to look: %j', (given, at) => {
  expect(whereToLook({ messageId: 'm', ...given }, now)).toEqual({ by: 'around', at });
});

test.each([
  [{ around: 'tea time' }, 'ISO-8601'],
  [{ around: '2030-01-01' }, 'and it has been'],
  [{ around: '99999999d' }, 'and it has been'],
  [{ around: '2h', batch: 'b' }, 'not both'],
  [{ batch: '' }, 'empty'],
  [{}, '--batch ID'],
  [{ messageId: '' }, 'which messageId'],
])('where to look, a mistake: %j', (given, words) => {
  const ask = () => whereToLook({ messageId: 'm', ...given }, now);
  expect(ask).toThrow(UserError);
  expect(ask).toThrow(words);
});

describe('finds', () => {
  let partner: Partner;
  let road: Road;
  beforeAll(async () => {
    partner = await startPartner();
    road = await openRoad({
      destinations: [{ name: 'hook', type: 'webhook', settings: { url: partner.url } }],
      sources: ['website', 'app'],
    });
  });
  afterAll(async () => {
    await road.close();
    await partner.close();
  });

  const generous = { batches: 10_000, ms: 25_000 };
  const deps = () => ({
    client: road.client,
    readBatch: createBatchReader({
      workflowService: road.connection.workflowService,
      namespace: 'default',
      keys: [],
      keptBytes: 0,
    }).read,
    now: Date.now,
  });
  const newId = (ageMs = 0) => `ajs-next-${Date.now() - ageMs}-${randomUUID()}`;
  const find = (messageId: string, given: { around?: string; batch?: string } = {}) =>
    findEvent(deps(), messageId, whereToLook({ messageId, ...given }, Date.now()), generous);

  test('an event by its own time, in every batch that holds it', async () => {
    const messageId = newId();
    const event = trackEvent({ messageId });
    const first = await road.startOf([
      { source: 'website', events: [trackEvent({ messageId: 'another' }), event] },
      { source: 'app', events: [event] },
    ]);
    const second = await road.start([event]);
    await eventually(async () => {
      const { found, searched } = await find(messageId);
      expect(found).toHaveLength(3);
      expect(found).toEqual(
        expect.arrayContaining([
          { batch: first.workflowId, place: 1, source: 'website', event },
          { batch: first.workflowId, place: 2, source: 'app', event },
          { batch: second.workflowId, place: 0, source: 'website', event },
        ]),
      );
      expect(searched.batches).toBeGreaterThanOrEqual(2);
      expect(searchedWords(searched)).toMatch(
        // Other tests' batches are among them, also encrypted ones.
        /^Searched \d+ batches started between \S+Z and \S+Z \(the messageId says \S+Z\)\.(?= \d+ of them|$)/,
      );
    });
  });

  test('one that came long after its id was made, looking further and further', async () => {
    const messageId = newId(30 * 60_000);
    const { workflowId } = await road.start([trackEvent({ messageId })]);
    await eventually(async () => {
      const { found, searched } = await find(messageId);
      expect(found).toMatchObject([{ batch: workflowId, place: 0 }]);
      expect(searched.to! - searched.at!).toBeGreaterThan(29 * 60_000);
    });
  });

  test('one whose id says no time, around a time or in its batch', async () => {
    const messageId = randomUUID();
    const { workflowId } = await road.start([trackEvent({ messageId })]);
    await eventually(async () => {
      expect((await find(messageId, { around: '30s' })).found).toMatchObject([
        { batch: workflowId },
      ]);
    });
    const { found, searched } = await find(messageId, { batch: workflowId });
    expect(found).toMatchObject([{ batch: workflowId, place: 0 }]);
    expect(searched.batches).toBe(1);
  });

  test('nothing, and says what was searched', async () => {
    const { workflowId } = await road.start([trackEvent({ messageId: 'present' })]);
    const none = await find('absent', { batch: workflowId });
    expect([none.found, searchedWords(none.searched)]).toEqual([
      [],
      'Searched the batch that was named.',
    ]);
    const nowhere = await find('absent', { batch: 'batch-of-nobody' });
    expect([nowhere.found, searchedWords(nowhere.searched)]).toEqual([
      [],
      'There is no such batch, or its retention in Temporal is over.',
    ]);
    const { found, searched } = await find('absent', { around: '2d' });
    expect([found, searched.batches, searched.cutShort]).toEqual([[], 0, undefined]);
    expect(searched.to! - searched.from!).toBe(2 * 86_400_000);
  });

  test('no more than the limits let it, and says so', async () => {
    for (let n = 0; n < 3; n++) await road.start([trackEvent()]);
    const where = { by: 'around', at: Date.now() } as const;
    await eventually(async () => {
      const { searched } = await findEvent(deps(), 'absent', where, { batches: 2, ms: 25_000 });
      expect(searched).toMatchObject({ batches: 2, cutShort: 'batches' });
      expect(searchedWords(searched)).toContain('cut short, for a search reads no more');
    });
    const { searched } = await findEvent(deps(), 'absent', where, { batches: 9, ms: 0 });
    expect(searched).toMatchObject({ batches: 0, cutShort: 'time' });
  });

  test('what it can where some cannot be read, and says so', async () => {
    const messageId = newId();
    const unread = await road.start([trackEvent()]);
    const batch = await road.start([trackEvent({ messageId })]);
    const { readBatch, ...rest } = deps();
    await eventually(async () => {
      const { found, searched } = await findEvent(
        {
          ...rest,
          readBatch: (run) =>
            run.workflowId === unread.workflowId
              ? Promise.reject(new Error('no key'))
              : readBatch(run),
        },
        messageId,
        { by: 'around', at: Date.now() },
        generous,
      );
      expect(found).toMatchObject([{ batch: batch.workflowId }]);
      expect(searchedWords(searched)).toMatch(/[1-9]\d* of them could not be read \(/);
    });
  });

  test('nothing for certain where a key is gone, and names it', async () => {
    const gone = { id: 'of-last-year', key: randomBytes(32).toString('hex') };
    const sealed = await openRoad({
      destinations: [{ name: 'hook', type: 'webhook', settings: { url: partner.url } }],
      keys: [gone],
    });
    const messageId = newId();
    await sealed.start([trackEvent({ messageId })]);
    await eventually(async () => {
      const failure: unknown = await find(messageId).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(CannotOpen);
      expect((failure as Error).message).toMatch(/ cannot be read: .*the key "of-last-year"/);
    });
    await sealed.close();
  });

  test('nothing once it is ended', async () => {
    await road.start([trackEvent()]);
    const where = { by: 'around', at: Date.now() } as const;
    await eventually(() =>
      expect(
        findEvent(deps(), 'absent', where, generous, AbortSignal.abort(new Error('gone'))),
      ).rejects.toThrow('gone'),
    );
  });
});
