import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import {
  abandonSignal,
  deliveriesQuery,
  redriveSignal,
  type BatchState,
} from '../../src/delivery.ts';
import { trackEvent, trackEvents } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { partneredRoads } from '../support/partnered-roads.ts';
import type { Road } from '../support/road.ts';

const stuckKey = defineSearchAttributeKey('StuckDestinations', 'KEYWORD_LIST');
const rejectedKey = defineSearchAttributeKey('RejectedEvents', 'INT');

const { partner, open, hook } = partneredRoads();

const stuckOf = async (batch: WorkflowHandle): Promise<string[]> => {
  const { typedSearchAttributes } = await batch.describe();
  return typedSearchAttributes.get(stuckKey) ?? [];
};

/** Keeps a behaviour's history for test/workflows/replay.test.ts: `RECORD_HISTORIES=1 npm test`. */
const record = async (name: string, batch: WorkflowHandle): Promise<void> => {
  if (process.env['RECORD_HISTORIES'] === undefined) return;
  const folder = resolve(import.meta.dirname, 'histories');
  mkdirSync(folder, { recursive: true });
  const history = historyToJSON(await batch.fetchHistory())
    .replace(/\b\d+@[\w.-]+/g, 'a-worker')
    .replaceAll(resolve(import.meta.dirname, '../..'), '/app');
  writeFileSync(join(folder, `${name}.json`), history);
};

test('delivers to every planned destination, and ends with their receipts', async () => {
  const road = await open([hook('one'), hook('two')]);
  const batch = await road.start(trackEvents(3));
  const receipt = (name: string) => ({
    delivered: 3,
    rejected: 0,
    filtered: 0,
    rejections: [],
    attempts: [
      {
        connection: road.name(name),
        at: expect.any(Number),
        ms: expect.any(Number),
        events: 3,
        status: 200,
        received: 'yes',
      },
    ],
  });
  expect(await road.receipts(batch)).toEqual({
    events: 3,
    deliveries: { one: receipt('one'), two: receipt('two') },
  });
  await record('delivered', batch);
});

test("a source's own batches take its turns, first passes and continuations; shared ones have none", async () => {
  let refused = true;
  partner.script(() => (refused ? { status: 401 } : { status: 200 }));
  const road = await open([hook('one')], { sources: ['a', 'b'] });
  const own = await road.start(trackEvents(2), 'a');
  const shared = await road.startOf([
    { source: 'a', events: trackEvents(1) },
    { source: 'b', events: trackEvents(1) },
  ]);
  await eventually(async () => {
    for (const batch of [own, shared]) expect(await stuckOf(batch)).toEqual([road.name('one')]);
  });
  refused = false;
  for (const batch of [own, shared]) await batch.signal(redriveSignal);
  await Promise.all([road.receipts(own), road.receipts(shared)]);
  const keysOf = async (batch: WorkflowHandle): Promise<unknown[]> =>
    ((await batch.fetchHistory()).events ?? [])
      .map(({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.priority)
      .filter((priority) => priority != null)
      .map(({ fairnessKey }) => fairnessKey);
  expect(await keysOf(own)).toEqual(['a', 'a']);
  expect(await keysOf(shared)).toEqual(['', '']);
});

test('counts rejected events where they can be searched for', async () => {
  partner.script(() => ({ status: 400, body: 'no' }));
  const road = await open([hook('one')]);
  const batch = await road.start(trackEvents(2));
  await road.receipts(batch);
  const { typedSearchAttributes } = await batch.describe();
  expect(typedSearchAttributes.get(rejectedKey)).toBe(2);
  await record('rejected', batch);
});

test('a destination that is down delays no other, and goes on by itself', async () => {
  let down = true;
  partner.script(({ path }) => (path === '/down' && down ? { status: 503 } : { status: 200 }));
  const road = await open([hook('down', { retry: { maxDelay: '1s' } }), hook('up')]);
  const batch = await road.start(trackEvents(2));
  await partner.until((received) => received.filter(({ path }) => path === '/up').length === 2);
  await partner.until((received) => received.filter(({ path }) => path === '/down').length >= 3);
  expect(await stuckOf(batch)).toEqual([]);
  down = false;
  const { deliveries } = await road.receipts(batch);
  expect(deliveries).toMatchObject({ down: { delivered: 2 }, up: { delivered: 2 } });
  await record('retried', batch);
});

test('refused credentials park the connection at once; redrive sends the rest again', async () => {
  let refused = true;
  partner.script(({ path }) =>
    path === '/locked' && refused ? { status: 401, body: 'bad key' } : { status: 200 },
  );
  const road = await open([hook('locked'), hook('fine')]);
  const batch = await road.start(trackEvents(5));
  await eventually(async () => expect(await stuckOf(batch)).toEqual([road.name('locked')]));
  const query = `StuckDestinations = "${road.name('locked')}"`;
  await eventually(async () => {
    const found = [];
    for await (const { workflowId } of road.client.workflow.list({ query })) found.push(workflowId);
    expect(found).toEqual([batch.workflowId]);
  });
  expect(partner.received.filter(({ path }) => path === '/fine')).toHaveLength(5);
  refused = false;
  await batch.signal(redriveSignal);
  const { deliveries } = await road.receipts(batch);
  expect(deliveries).toMatchObject({ locked: { delivered: 5 }, fine: { delivered: 5 } });
  expect(await stuckOf(batch)).toEqual([]);
  await record('refused-and-redriven', batch);
});

test('a spent retry policy parks; redrive gives it a fresh start', async () => {
  let down = true;
  partner.script(() => (down ? { status: 500, body: 'oops' } : { status: 200 }));
  const retry = { firstDelay: '1s', maxDelay: '1s', giveUpAfter: '1500ms' };
  const road = await open([hook('one', { retry })]);
  const batch = await road.start(trackEvents(1));
  await eventually(async () => expect(await stuckOf(batch)).toEqual([road.name('one')]));
  const tried = partner.received.length;
  expect(tried).toBeGreaterThanOrEqual(2);
  await batch.signal(redriveSignal, ['another-destination']);
  expect(await stuckOf(batch)).toEqual([road.name('one')]);
  await batch.signal(redriveSignal, [road.name('one')]);
  await partner.until((received) => received.length > tried);
  down = false;
  expect((await road.receipts(batch)).deliveries['one']).toMatchObject({ delivered: 1 });
  await record('spent-and-redriven', batch);
});

test('names the stuck connection beside its destination, and settles the others', async () => {
  let refused = true;
  partner.script(({ path }) =>
    path === '/own' && refused ? { status: 403, body: 'no' } : { status: 200 },
  );
  const connections = { b: { settings: { url: `${partner.url}/own` } } };
  const road = await open([hook('one', { connections })], { sources: ['a', 'b'] });
  const batch = await road.startOf([
    { source: 'a', events: trackEvents(2) },
    { source: 'b', events: [trackEvent({ messageId: 'own' })] },
  ]);
  const names = [road.name('one'), `${road.name('one')}/b`];
  await eventually(async () => expect(await stuckOf(batch)).toEqual(names));
  expect(partner.received.filter(({ path }) => path === '/one')).toHaveLength(2);
  refused = false;
  await batch.signal(redriveSignal, [`${road.name('one')}/b`]);
  expect((await road.receipts(batch)).deliveries['one']).toMatchObject({ delivered: 3 });
});

/** A batch of 230 sources, each with an event and a connection of its own at one destination. */
const startWith230Connections = async (): Promise<{ road: Road; batch: WorkflowHandle }> => {
  const sources = Array.from({ length: 230 }, (_, n) => `s${n}`);
  const connections = Object.fromEntries(
    sources.map((source) => [source, { settings: { url: `${partner.url}/${source}` } }]),
  );
  const retry = { firstDelay: '2s', maxDelay: '2s' };
  const road = await open([hook('one', { connections, retry })], { sources });
  const batch = await road.startOf(
    sources.map((source) => ({ source, events: [trackEvent({ messageId: source })] })),
  );
  return { road, batch };
};
const until200Pend = (batch: WorkflowHandle): Promise<void> =>
  eventually(async () => {
    const { raw } = await batch.describe();
    expect(raw.pendingActivities).toHaveLength(200);
  });

test('many stuck connections stay within 200 pending continuations, and lose none', async () => {
  let down = true;
  partner.script(() => (down ? { status: 503 } : { status: 200 }));
  const { road, batch } = await startWith230Connections();
  await until200Pend(batch);
  down = false;
  expect((await road.receipts(batch)).deliveries['one']).toMatchObject({ delivered: 230 });
}, 60_000);

test('many parked connections that are redriven together stay within 200, too', async () => {
  let refused = true;
  partner.script(() => (refused ? { status: 401 } : { status: 503 }));
  const { road, batch } = await startWith230Connections();
  const one = road.name('one');
  await eventually(async () =>
    expect((await stateOf(batch))[one]).toMatchObject({ state: 'parked' }),
  );
  expect((await stateOf(batch))[one]!.unsettled).toHaveLength(230);
  expect(await detailsOf(batch)).toMatch(/^- and \d+ more$/m);
  refused = false;
  await batch.signal(redriveSignal);
  await until200Pend(batch);
  partner.script(() => ({ status: 200 }));
  expect((await road.receipts(batch)).deliveries['one']).toMatchObject({ delivered: 230 });
}, 60_000);

test('a batch that no destination wants is accepted and ends', async () => {
  const road = await open([hook('one', { events: ['identify'] })]);
  const batch = await road.start(trackEvents(1));
  expect(await road.receipts(batch)).toEqual({ events: 1, deliveries: {} });
});

test.each([
  5,
  null,
  'another',
  { destination: 'one' },
  { names: 5 },
  { reasons: ['x'] },
  { reason: 'x' },
  [7],
])('a redrive with %j in it wedges nothing', async (garbage) => {
  let refused = true;
  partner.script(() => (refused ? { status: 401 } : { status: 200 }));
  const road = await open([hook('one')]);
  const batch = await road.start(trackEvents(1));
  await eventually(async () => expect(await stuckOf(batch)).toEqual([road.name('one')]));
  await batch.signal(redriveSignal, garbage);
  refused = false;
  await batch.signal(redriveSignal);
  expect((await road.receipts(batch)).deliveries['one']).toMatchObject({ delivered: 1 });
});

test.each(['parked', 'retrying'])('a cancelled batch ends, also one that is %s', async (state) => {
  partner.script(() => ({ status: state === 'parked' ? 401 : 500 }));
  const road = await open([hook('one')]);
  const batch = await road.start(trackEvents(1));
  await eventually(async () => {
    if (state === 'parked') expect(await stuckOf(batch)).toEqual([road.name('one')]);
    expect(partner.received.length).toBeGreaterThanOrEqual(1);
  });
  await batch.cancel();
  await expect(batch.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
  expect((await batch.describe()).status.name).toBe('CANCELLED');
});

const stateOf = (batch: WorkflowHandle): Promise<BatchState> =>
  batch.query<BatchState>(deliveriesQuery);
const detailsOf = async (batch: WorkflowHandle): Promise<string> =>
  (await batch.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;

test('a parked part tells what is stuck, since when and with which answers', async () => {
  partner.script(({ path }) =>
    path === '/locked' ? { status: 401, body: 'bad key' } : { status: 200 },
  );
  const road = await open([hook('locked'), hook('fine')]);
  const [locked, fine] = [road.name('locked'), road.name('fine')];
  const batch = await road.start(trackEvents(5));
  await eventually(async () => expect(await stuckOf(batch)).toEqual([locked]));
  const state = await stateOf(batch);
  expect(state[fine]).toMatchObject({
    state: 'settled',
    receipt: { delivered: 5 },
    unsettled: [],
  });
  const part = {
    connection: locked,
    events: [0, 5],
    count: 5,
    parked: 'refused',
    reason: '401 bad key',
    code: 'refused',
    attempts: 1,
  };
  expect(state[locked]).toMatchObject({
    state: 'parked',
    unsettled: [{ ...part, past: [{ status: 401, reason: '401 bad key', received: 'no' }] }],
  });
  expect(state[locked]!.unsettled[0]!.parkedAt).toBeGreaterThan(Date.now() - 60_000);
  const details = await detailsOf(batch);
  expect(details).toMatch(new RegExp(`\\*\\*${locked}\\*\\*: 5 events parked since 20`));
  expect(details).toMatch(/1 attempt in a row/);
  expect(details).toMatch(/`401 bad key`; the partner certainly has none of those left/);
  expect(details).toContain(`as in \`["${locked}"]\``);
  partner.script(() => ({ status: 200 }));
  await batch.signal(redriveSignal, { names: [locked] });
  await batch.result();
  expect(await detailsOf(batch)).toBe('Nothing is stuck.');
});

test('a redrive by reason concerns what failed for it, and nothing else', async () => {
  let isMended = false;
  partner.script(({ path }) => {
    if (isMended) return { status: 200 };
    return path === '/locked' ? { status: 401 } : { status: 429 };
  });
  const retry = { firstDelay: '1s', maxDelay: '1s', giveUpAfter: '1s' };
  const road = await open([hook('locked'), hook('busy', { retry })]);
  const batch = await road.start(trackEvents(1));
  const names = [road.name('locked'), road.name('busy')];
  await eventually(async () => expect(new Set(await stuckOf(batch))).toEqual(new Set(names)));
  isMended = true;
  await batch.signal(redriveSignal, { reasons: ['rate_limited'] });
  await eventually(async () =>
    expect(await stateOf(batch)).toMatchObject({
      [names[0]!]: { state: 'parked' },
      [names[1]!]: { state: 'settled', receipt: { delivered: 1 } },
    }),
  );
  await batch.signal(redriveSignal, { names });
  const { deliveries } = await road.receipts(batch);
  expect(deliveries).toMatchObject({ locked: { delivered: 1 }, busy: { delivered: 1 } });
  const { attempts } = deliveries['busy']!;
  expect(attempts![0]).toMatchObject({ status: 429, received: 'no' });
  expect(attempts!.at(-1)).toMatchObject({ status: 200, received: 'yes' });
});

test('what is abandoned is given up with the words of the one who did, and not without', async () => {
  partner.script(() => ({ status: 401 }));
  const road = await open([hook('one'), hook('two')]);
  const batch = await road.start(trackEvents(3));
  const names = [road.name('one'), road.name('two')];
  await eventually(async () => expect(new Set(await stuckOf(batch))).toEqual(new Set(names)));
  await batch.signal(abandonSignal);
  await batch.signal(abandonSignal, names);
  await eventually(async () => expect(await detailsOf(batch)).toMatch(/without a reason/));
  expect(await stuckOf(batch)).toHaveLength(2);
  await batch.signal(abandonSignal, { names: [names[0]], reason: 'the account is closed' });
  await eventually(async () => expect(await stuckOf(batch)).toEqual([names[1]]));
  partner.script(() => ({ status: 200 }));
  await batch.signal(redriveSignal);
  const { deliveries } = await road.receipts(batch);
  expect(deliveries['one']).toMatchObject({
    delivered: 0,
    abandoned: [
      { connection: names[0], reason: 'the account is closed', count: 3, events: [0, 3] },
    ],
  });
  expect(deliveries['two']).toMatchObject({ delivered: 3 });
  await record('abandoned', batch);
});

test('a batch whose parked events were kept for too long fails with what was not delivered', async () => {
  partner.script(({ path }) => (path === '/locked' ? { status: 403 } : { status: 200 }));
  const road = await open([hook('locked', { retry: { keepFor: '2s' } }), hook('fine')]);
  const batch = await road.start(trackEvents(4));
  await expect(batch.result()).rejects.toMatchObject({
    cause: {
      type: 'NotDelivered',
      message: expect.stringMatching(
        `kept for as long as it is: ${road.name('locked')}: 4 events, 403`,
      ),
      details: [
        { events: 4, deliveries: { [road.name('fine')]: { delivered: 4 } } },
        [{ connection: road.name('locked'), events: [0, 4], parked: 'refused' }],
      ],
    },
  });
  expect(await stuckOf(batch)).toEqual([road.name('locked')]);
  expect(await stateOf(batch)).toMatchObject({ [road.name('locked')]: { state: 'expired' } });
  await record('expired', batch);
});

test('words of a partner that are long or not ASCII break no workflow', async () => {
  partner.script(() => ({ status: 401, body: '閉'.repeat(500) }));
  const road = await open([hook('one')]);
  const batch = await road.start(trackEvents(1));
  await eventually(async () => expect(await stuckOf(batch)).toEqual([road.name('one')]));
  partner.script(() => ({ status: 200 }));
  await batch.signal(redriveSignal);
  expect((await road.receipts(batch)).deliveries['one']).toMatchObject({ delivered: 1 });
});
