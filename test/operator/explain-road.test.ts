import { expect, test } from '@jest/globals';
import { createBatchReader } from '../../src/activities/batch-reader.ts';
import { abandonSignal, redriveSignal, type Plan } from '../../src/delivery.ts';
import { viewBatch } from '../../src/operator/batch-view.ts';
import { createExplainer, type Explain, type ToldEvent } from '../../src/operator/explainer.ts';
import { eventually } from '../support/eventually.ts';
import { identifyEvent, trackEvent } from '../support/events.ts';
import { partneredRoads } from '../support/partnered-roads.ts';
import type { DestinationEntry, Road, RoadOptions } from '../support/road.ts';
import { uniqueName } from '../support/temporal.ts';

const { partner, open: openRoad, hook } = partneredRoads();

const open = async (
  destinations: DestinationEntry[],
  given: Pick<RoadOptions, 'sources'> = {},
): Promise<Road & { explain: Explain }> => {
  const road = await openRoad(destinations, given);
  const explain = createExplainer({
    client: road.client,
    readBatch: createBatchReader({
      workflowService: road.connection.workflowService,
      namespace: 'default',
      keys: [],
      keptBytes: 0,
    }).read,
    destinations: road.config.destinations,
    limits: { batches: 100, ms: 10_000 },
  });
  return { ...road, explain };
};
/** The account at one destination, by the name the test gave it. */
const at = (road: Road, { destinations }: ToldEvent, name: string) =>
  destinations.find(({ destination }) => destination === road.name(name))!;

test('delivered, rejected by one, and why others did not get it', async () => {
  partner.script(({ path, body }) =>
    path === '/strict' && body.includes('m-bad')
      ? { status: 400, body: 'no such sku' }
      : { status: 200 },
  );
  const road = await open(
    [
      hook('fine'),
      hook('strict'),
      hook('others', { sources: ['app'] }),
      hook('people', { events: ['identify'] }),
    ],
    { sources: ['website', 'app'] },
  );
  const event = trackEvent({ messageId: 'm-bad' });
  const batch = await road.start([trackEvent({ messageId: 'm-good' }), event]);
  await batch.result();
  const { events, searched } = await road.explain({
    messageId: 'm-bad',
    batch: batch.workflowId,
  });
  expect(searched).toBe('Searched the batch that was named.');
  expect(events).toMatchObject([
    {
      messageId: 'm-bad',
      type: 'track',
      source: 'website',
      acceptedAt: event.receivedAt,
      batch: { id: batch.workflowId, place: 1, events: 2, status: 'completed' },
      notes: [],
    },
  ]);
  const [told] = events;
  expect(at(road, told!, 'fine').words).toBe('delivered');
  expect(at(road, told!, 'strict').words).toBe('rejected: 400 no such sku');
  expect(at(road, told!, 'others').detail).toEqual({ rule: 'source' });
  expect(at(road, told!, 'people').detail).toEqual({ rule: 'type' });
  expect(JSON.stringify(told)).not.toContain('G-32'); // of its properties nothing
});

test('waiting for its next attempt while the rest of its batch is delivered', async () => {
  partner.script(({ body }) => (body.includes('m-slow') ? { status: 503 } : { status: 200 }));
  const road = await open([hook('one', { retry: { firstDelay: '1h' } })]);
  const batch = await road.start([
    trackEvent({ messageId: 'm-fast' }),
    trackEvent({ messageId: 'm-slow' }),
  ]);
  await eventually(async () => {
    const [slow] = (await road.explain({ messageId: 'm-slow', batch: batch.workflowId })).events;
    const told = at(road, slow!, 'one');
    expect(told.outcome).toBe('waiting');
    expect(told.words).toMatch(
      /^waiting: the next attempt is at \S+Z; last failure: 503.*, 1 failed in a row, failing since \S+Z$/,
    );
    const inMs = Date.parse(told.detail['nextAttemptAt'] as string) - Date.now();
    expect(inMs).toBeGreaterThan(45 * 60_000);
    expect(inMs).toBeLessThan(75 * 60_000);
  });
  const [fast] = (await road.explain({ messageId: 'm-fast', batch: batch.workflowId })).events;
  expect(at(road, fast!, 'one').outcome).toBe('delivered');
  await batch.terminate('the test is over');
  const [ended] = (await road.explain({ messageId: 'm-slow', batch: batch.workflowId })).events;
  expect(ended!.batch.status).toBe('terminated');
  expect(ended!.notes.join()).toContain('the test is over');
});

test('under way while its partner takes its time', async () => {
  partner.script(() => ({ status: 200, afterMs: 3_000 }));
  const road = await open([hook('one')]);
  const batch = await road.start([trackEvent({ messageId: 'm-1' })]);
  await eventually(async () => {
    const [told] = (await road.explain({ messageId: 'm-1', batch: batch.workflowId })).events;
    expect(at(road, told!, 'one').words).toBe('under way: attempt 1');
  });
});

test('parked, and delivered once it is redriven', async () => {
  let refused = true;
  partner.script(() => (refused ? { status: 401, body: 'bad key' } : { status: 200 }));
  const road = await open([hook('one')]);
  const batch = await road.start([identifyEvent({ messageId: 'm-1' })]);
  const explain = async () =>
    at(road, (await road.explain({ messageId: 'm-1', batch: batch.workflowId })).events[0]!, 'one');
  await eventually(async () => {
    const told = await explain();
    expect(told.outcome).toBe('parked');
    expect(told.words).toMatch(
      /^parked since \S+Z.*: the partner refuses the credentials.*401 bad key.* Mend that, then redrive it$/,
    );
    expect(told.attempts).toMatchObject([{ events: 1, status: 401, received: 'no' }]);
  });
  refused = false;
  await batch.signal(redriveSignal);
  await batch.result();
  const told = await explain();
  expect(told.words).toBe('delivered');
  expect(told.attempts).toMatchObject([
    { status: 401, received: 'no' },
    { status: 200, received: 'yes' },
  ]);
});

test('given up by an operator', async () => {
  partner.script(() => ({ status: 401, body: 'bad key' }));
  const road = await open([hook('one'), hook('two', { retry: { keepFor: '1h' } })]);
  const batch = await road.start([trackEvent({ messageId: 'm-1' })]);
  const explain = async (name: string) =>
    at(road, (await road.explain({ messageId: 'm-1', batch: batch.workflowId })).events[0]!, name);
  await eventually(async () => {
    expect((await explain('one')).outcome).toBe('parked');
    const told = await explain('two');
    const { parkedAt, keptUntil } = told.detail as Record<string, string>;
    expect(Date.parse(keptUntil!) - Date.parse(parkedAt!)).toBe(3_600_000);
  });
  await batch.signal(abandonSignal, { names: [road.name('one')], reason: 'a test key' });
  await eventually(async () => {
    expect((await explain('one')).words).toMatch(/^abandoned by an operator at \S+Z: a test key$/);
  });
  expect((await explain('two')).outcome).toBe('parked');
  await batch.terminate('the test is over');
});

test('given up as it was kept for too long, while others have it', async () => {
  partner.script(({ path }) => ({ status: path === '/fine' ? 200 : 401 }));
  const road = await open([hook('short', { retry: { keepFor: '1s' } }), hook('fine')]);
  const batch = await road.start([trackEvent({ messageId: 'm-1' })]);
  await expect(batch.result()).rejects.toThrow();
  const [told] = (await road.explain({ messageId: 'm-1', batch: batch.workflowId })).events;
  expect(at(road, told!, 'short').words).toMatch(
    /^given up: it was parked for longer than it is kept \(the partner refuses/,
  );
  expect(at(road, told!, 'fine').words).toBe('delivered');
  expect(told!.notes).toEqual([
    expect.stringMatching(/^The batch ended without having delivered all: Not delivered/),
  ]);
});

test('what can be told where no workflow worker answers', async () => {
  partner.script(() => ({ status: 503 }));
  const road = await open([hook('one', { retry: { firstDelay: '1h' } })]);
  const batch = await road.start([trackEvent({ messageId: 'm-1' })]);
  await eventually(async () => expect(await road.checkpoint(batch)).toBeDefined());
  await road.close();
  const other = await open([hook('one')]);
  const [told] = (await other.explain({ messageId: 'm-1', batch: batch.workflowId })).events;
  const [one] = told!.destinations;
  expect(one).toMatchObject({ destination: road.name('one'), outcome: 'waiting' });
  expect(told!.notes).toEqual([expect.stringContaining('no workflow worker answered')]);
  await other.client.workflow.getHandle(batch.workflowId).terminate('the test is over');
});

test('a workflow that cannot be asked says why itself', async () => {
  const { client } = await open([hook('one')]);
  const batch = await client.workflow.start('batchOfNobody', {
    workflowId: uniqueName(),
    taskQueue: uniqueName(), // nobody's
    args: [{ version: 1, events: 1, deliveries: [] } satisfies Plan],
  });
  await batch.terminate('the test is over');
  const { unasked } = await viewBatch(client, batch.workflowId);
  expect(unasked).toMatch(/could not be asked .*\(.*closed before WorkflowTaskStarted.*\)$/);
});
