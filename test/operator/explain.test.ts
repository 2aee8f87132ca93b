import { expect, test } from '@jest/globals';
import {
  emptyReceipt,
  type DeliveryState,
  type PastAttempt,
  type Progress,
  type Receipt,
  type Unsettled,
  type UnsettledState,
} from '../../src/delivery.ts';
import { parseConfig } from '../../src/config.ts';
import type { BatchView, PendingDelivery } from '../../src/operator/batch-view.ts';
import { explainEvent } from '../../src/operator/explain.ts';
import type { Fate } from '../../src/operator/fate.ts';
import { fateWords } from '../../src/operator/fate-words.ts';
import type { FoundEvent } from '../../src/operator/find-event.ts';
import { trackEvent } from '../support/events.ts';

const size = 1_000;
const at = Date.parse('2026-11-05T12:00:00.000Z');
const retry = { firstDelayMs: 1_000, factor: 2, maxDelayMs: 600_000, giveUpAfterMs: 14_400_000 };

const receipt = (given: Partial<Receipt>): Receipt => ({ ...emptyReceipt(), ...given });
const left = (given: Partial<UnsettledState>): UnsettledState => ({
  connection: 'hook',
  events: [0, size],
  count: size,
  ...given,
});
const state = (given: Partial<DeliveryState>): DeliveryState => ({
  state: 'under_way',
  receipt: emptyReceipt(),
  unsettled: [],
  ...given,
});
const pending = (given: Partial<PendingDelivery> = {}): PendingDelivery => ({
  destination: 'hook',
  attempt: 1,
  isRunning: true,
  isPaused: false,
  ...given,
});
const checkpoint = (given: Partial<Receipt>, ...unsettled: Unsettled[]): Progress => ({
  receipt: receipt(given),
  unsettled,
});
const view = (hook: DeliveryState | undefined, given: Partial<BatchView> = {}): BatchView => ({
  batch: 'batch-1',
  status: 'running',
  startedAt: at,
  plan: {
    version: 1,
    events: size,
    deliveries: [
      { destination: 'hook', retry, attemptMs: 45_000, heartbeatMs: 10_000, keepMs: 3_600_000 },
    ],
  },
  ...(hook !== undefined && { state: { hook } }),
  pending: [],
  stuck: [],
  ...given,
});
const event = (place: number, source = 'website'): FoundEvent => ({
  batch: 'batch-1',
  place,
  source,
  event: trackEvent({ messageId: `m-${place}` }),
});
const account = (seen: BatchView, place: number, source?: string) =>
  explainEvent(seen, event(place, source), [])[0]!;
const fateAt = (seen: BatchView, place: number): Fate => account(seen, place).fate;

test('settled: what a set names, and delivered what none does', () => {
  const odd = Buffer.alloc(125, 0xaa).toString('base64');
  const settled = view(
    state({
      state: 'settled',
      receipt: receipt({
        delivered: 397,
        rejected: 501,
        rejections: [
          { reason: '400 bad', count: 501, messageIds: ['m-1'], events: [odd, [10, 11]] },
        ],
        filtered: 100,
        filters: [
          { rule: 'mapper', count: 49, events: [[20, 21]] },
          {
            rule: 'type',
            count: 51,
            events: [
              [30, 31],
              [998, 999],
            ],
          },
        ],
        abandoned: [{ connection: 'hook', reason: 'a test', at, count: 2, events: [40, 42] }],
      }),
    }),
  );
  expect(fateAt(settled, 501)).toEqual({ outcome: 'rejected', reasons: ['400 bad'] });
  expect(fateAt(settled, 10)).toEqual({ outcome: 'rejected', reasons: ['400 bad'] });
  expect(fateAt(settled, 20)).toEqual({ outcome: 'filtered', rule: 'mapper' });
  expect(fateAt(settled, 998)).toEqual({ outcome: 'filtered', rule: 'type' });
  expect(fateAt(settled, 40)).toEqual({ outcome: 'abandoned', reason: 'a test', at });
});

test('settled: delivered where the sets name all that was not', () => {
  const rejections = [
    {
      reason: 'no',
      count: 2,
      messageIds: ['x'],
      events: [
        [4, 5],
        [7, 8],
      ],
    },
  ];
  const filters = [{ rule: 'source' as const, count: 1, events: [[0, 1]] }];
  const settled = view(
    state({
      state: 'settled',
      receipt: receipt({ delivered: size - 3, rejected: 2, rejections, filtered: 1, filters }),
    }),
  );
  expect(fateAt(settled, 5)).toEqual({ outcome: 'delivered' });
  expect(fateAt(settled, 7)).toMatchObject({ outcome: 'rejected' });
});

test('a receipt of an older version: as much as its counts tell, and no more', () => {
  const old = (given: Partial<Receipt>) =>
    view(state({ state: 'settled', receipt: receipt(given) }));
  const rejections = [{ reason: '400 bad', count: 2, messageIds: ['m-3'] }];
  expect(fateAt(old({ delivered: size }), 5)).toEqual({ outcome: 'delivered' });
  expect(fateAt(old({ filtered: size }), 5)).toEqual({ outcome: 'filtered', rule: 'untold' });
  expect(fateAt(old({ rejected: size, rejections }), 5)).toEqual({
    outcome: 'rejected',
    reasons: ['400 bad'],
  });
  const mixed = old({ delivered: 900, filtered: 98, rejected: 2, rejections });
  expect(fateAt(mixed, 3)).toEqual({ outcome: 'rejected', reasons: ['400 bad'] });
  const fate = fateAt(mixed, 5);
  expect(fate).toMatchObject({ possible: ['delivered', 'rejected', 'filtered'] });
  expect(fateWords(fate)).toBe(
    'delivered, rejected or filtered: the receipt of this batch, of an older version, does not tell which',
  );
});

test('a first pass under way: by its last checkpoint', () => {
  const none = view(state({}), { pending: [pending()] });
  expect(fateAt(none, 5)).toEqual({ outcome: 'under_way', attempt: 1, failing: {} });
  const progress = checkpoint(
    {
      delivered: 10,
      rejected: 1,
      rejections: [{ reason: 'no', count: 1, messageIds: [], events: [[3, 4]] }],
    },
    { connection: 'hook', events: [11, size] },
  );
  const half = view(state({}), { pending: [pending({ progress })] });
  expect(fateAt(half, 3)).toMatchObject({ outcome: 'rejected' });
  expect(fateAt(half, 5)).toEqual({ outcome: 'delivered' });
  expect(fateAt(half, 11)).toMatchObject({ outcome: 'under_way' });
  // As if the workflow counts what it has handed out among what is not settled.
  const handedOut = view(state({ unsettled: [left({})] }), { pending: [pending({ progress })] });
  expect([3, 5, 11].map((place) => fateAt(handedOut, place).outcome)).toEqual([
    'rejected',
    'delivered',
    'under_way',
  ]);
});

test('a continuation that waits: when the next attempt is, and what failed last', () => {
  const failing = { reason: '503 busy', code: 'unavailable', since: at, attempts: 3 } as const;
  const waits = pending({
    attempt: 4,
    isRunning: false,
    nextAttemptAt: at + 8_000,
    failure: 'hook: 503 busy (and 1 more connections)',
    progress: checkpoint(
      { delivered: 100 },
      { connection: 'hook', events: [100, 200], ...failing },
      { connection: 'hook/app', events: [200, 300], ...failing, notBefore: at + 60_000 },
    ),
  });
  const seen = view(
    state({
      receipt: receipt({ delivered: size - 300 }),
      unsettled: [
        left({ events: [0, 200], count: 200 }),
        left({ connection: 'hook/app', events: [200, 300], count: 100 }),
      ],
    }),
    { pending: [waits] },
  );
  const waiting = { outcome: 'waiting', isPaused: false, failing };
  expect(account(seen, 150)).toMatchObject({
    connection: 'hook',
    fate: { ...waiting, nextAttemptAt: at + 8_000 },
  });
  expect(account(seen, 250)).toMatchObject({
    connection: 'hook/app',
    fate: { ...waiting, nextAttemptAt: at + 60_000 },
  });
  expect(fateAt(seen, 50)).toEqual({ outcome: 'delivered' });
  expect(fateAt(seen, 900)).toEqual({ outcome: 'delivered' });
  expect(fateWords(fateAt(seen, 150))).toBe(
    'waiting: the next attempt is at 2026-11-05T12:00:08.000Z; last failure: 503 busy [unavailable], ' +
      '3 failed in a row, failing since 2026-11-05T12:00:00.000Z',
  );
});

test('a continuation that has said nothing yet: under way, beside one that has', () => {
  const other = pending({
    progress: checkpoint({ delivered: 9 }, { connection: 'hook/app', events: [9, 10] }),
  });
  const unsettled = [
    left({ connection: 'hook/app', events: [0, 10], count: 10 }),
    left({ events: [10, size], count: size - 10 }),
  ];
  const seen = view(state({ unsettled }), { pending: [other, pending({ attempt: 2 })] });
  expect(fateAt(seen, 500)).toMatchObject({ outcome: 'under_way', attempt: 2 });
  expect(fateAt(seen, 9)).toMatchObject({ outcome: 'under_way', attempt: 1 });
});

test('parked: why, since when, for how long; and given up after that', () => {
  const part = left({
    parked: 'refused',
    parkedAt: at,
    reason: '401 bad key',
    code: 'refused',
    since: at - 500,
  });
  const fate = {
    why: 'refused',
    parkedAt: at,
    keptUntil: at + 3_600_000,
    failing: { reason: '401 bad key', code: 'refused', since: at - 500 },
  };
  const parked = view(state({ state: 'parked', unsettled: [part] }));
  expect(account(parked, 7)).toMatchObject({
    connection: 'hook',
    fate: { outcome: 'parked', ...fate },
  });
  expect(fateWords(fateAt(parked, 7))).toBe(
    'parked since 2026-11-05T12:00:00.000Z, kept until 2026-11-05T13:00:00.000Z: the partner refuses the ' +
      'credentials, or its address is not allowed; last failure: 401 bad key [refused], failing since ' +
      '2026-11-05T11:59:59.500Z. Mend that, then redrive it',
  );
  const expired = view(state({ state: 'expired', unsettled: [part] }), { status: 'failed' });
  expect(fateAt(expired, 7)).toEqual({ outcome: 'expired', ...fate });
  expect(fateWords(fateAt(expired, 7))).toMatch(
    /^given up: it was parked for longer than it is kept/,
  );
  const removed = { connection: 'hook', events: [5, 6], parked: 'removed' as const };
  const within = view(state({}), { pending: [pending({ progress: checkpoint({}, removed) })] });
  expect(fateAt(within, 5)).toEqual({ outcome: 'parked', why: 'removed', failing: {} });
});

test('without an answer of the workflow: what the checkpoints tell, and why not more', () => {
  const unasked = 'nobody answers';
  const whole = checkpoint({ delivered: 999 }, { connection: 'hook', events: [5, 6] });
  const first = view(undefined, { unasked, pending: [pending({ progress: whole })] });
  expect(fateAt(first, 4)).toEqual({ outcome: 'delivered' });
  expect(fateAt(first, 5)).toMatchObject({ outcome: 'under_way' });
  const part = checkpoint({ delivered: 1 }, { connection: 'hook', events: [5, 6] });
  const words = (given: Partial<BatchView>) =>
    fateWords(fateAt(view(undefined, { unasked, ...given }), 4));
  expect(words({ pending: [pending({ progress: part })] })).toMatch(
    /^unknown: a delivery is pending/,
  );
  expect(words({ stuck: ['hook', 'hook/app'] })).toMatch(
    /^unknown: events of the batch are parked/,
  );
  expect(words({})).toMatch(/^unknown: no delivery is pending here, so it is settled/);
  expect(words({ status: 'terminated' })).toBe(
    'unknown: the batch has ended (terminated), and nobody answers',
  );
});

test('attempts are those of its own connection, of every account there is, once', () => {
  const attempt = (connection: string, after: number): PastAttempt => ({
    connection,
    at: at + after,
    ms: 20,
    events: 3,
    status: 503,
    reason: 'busy',
    received: 'maybe',
  });
  const shared = [attempt('hook', 1), attempt('hook', 4)];
  const own = [attempt('hook/app', 2), attempt('hook/app', 3)];
  const seen = view(
    state({
      receipt: receipt({ delivered: size - 1, attempts: [own[0]!, shared[0]!] }),
      unsettled: [left({ connection: 'hook/app', events: [0, 1], count: 1, past: own })],
    }),
    { pending: [pending({ progress: checkpoint({ attempts: [shared[1]!] }) })] },
  );
  expect(account(seen, 0, 'app').attempts).toEqual(own);
  expect(account(seen, 9, 'website').attempts).toEqual(shared);
});

test('an attempt under way is not taken for one whose worker was lost', () => {
  const lost = { connection: 'hook', ms: 0, events: 3, status: 'lost', received: 'maybe' } as const;
  const past = [
    { ...lost, at: at - 20_000 },
    { ...lost, at: at + 50 },
  ];
  const progress = checkpoint({}, { connection: 'hook', events: [0, size], past });
  const statuses = (isRunning: boolean) =>
    account(
      view(state({}), { pending: [pending({ isRunning, startedAt: at, progress })] }),
      5,
    ).attempts.map(({ status }) => status);
  expect(statuses(true)).toEqual(['lost', 'under_way']);
  expect(statuses(false)).toEqual(['lost', 'lost']);
});

test('destinations that the batch was not planned for: by which rule', () => {
  const { destinations } = parseConfig(
    JSON.stringify({
      sources: ['website', 'app'].map((name) => ({ name, writeKey: name })),
      destinations: [
        { name: 'hook' },
        { name: 'others', sources: ['app'] },
        { name: 'people', events: ['identify'] },
        { name: 'unwanted' },
        { name: 'new' },
      ].map((entry) => ({ type: 'webhook', settings: { url: 'http://x.example/' }, ...entry })),
    }),
    {},
    'of the test',
  );
  const found: FoundEvent = {
    ...event(0),
    event: trackEvent({ integrations: { unwanted: false } }),
  };
  const accounts = explainEvent(view(state({})), found, destinations);
  expect(accounts.slice(1).map(({ destination, fate }) => [destination, fate])).toEqual([
    ['others', { outcome: 'filtered', rule: 'source' }],
    ['people', { outcome: 'filtered', rule: 'type' }],
    ['unwanted', { outcome: 'filtered', rule: 'integrations' }],
    ['new', { outcome: 'filtered', rule: 'unplanned' }],
  ]);
});
