import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { deliveriesQuery, type BatchState } from '../../src/delivery.ts';
import { closeServers, serveApi } from '../api/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { trackEvents } from '../support/events.ts';
import { startPartner, type Partner } from '../support/partner.ts';
import { isOnPath, openRecipes, type Recipes } from '../support/recipes.ts';
import { openRoad, type Road } from '../support/road.ts';

/** Each recipe is several processes: on a busy machine, and by npx, they take a while to start. */
jest.setTimeout(120_000);

const title = isOnPath('tctl') ? '%s' : '%s (there is no tctl on PATH)';
const withTctl = isOnPath('tctl') ? test : test.skip;

let partner: Partner;
let recipes: Recipes;
/** The test's own. */
let road: Road;
const opened: Road[] = [];
beforeAll(async () => {
  partner = await startPartner();
  recipes = await openRecipes();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
  await closeServers();
  partner.received.length = 0;
  partner.script(() => ({ status: 200 }));
});
afterAll(async () => {
  recipes.close();
  await partner.close();
});

/** The destination that is in trouble, as docs/operating.md names it. */
const ailing = 'mixpanel';
/** Whether the partner takes what comes for that destination; else how it answers. */
const answers = (status: number): void =>
  partner.script(({ path }) => ({ status: path === `/${ailing}` ? status : 200, body: 'oh' }));

const open = async (retry: object = { maxDelay: '1s' }, others = ['one', 'two']): Promise<void> => {
  road = await openRoad({
    destinations: [ailing, ...others].map((name) => ({
      name,
      type: 'webhook',
      settings: { url: `${partner.url}/${name}` },
      retry,
    })),
  });
  opened.push(road);
};

/** How many requests came to each destination, and no other. */
const counts = (): Record<string, number> => {
  const byPath: Record<string, number> = {};
  for (const { path } of partner.received) byPath[path.slice(1)] = (byPath[path.slice(1)] ?? 0) + 1;
  return byPath;
};
const keysOf = (destination: string) =>
  partner.received
    .filter(({ path }) => path === `/${destination}`)
    .map(({ headers }) => headers['webhook-id']);

/** Runs a recipe for this batch and the road's destination; it has to succeed. */
const follow = async (
  recipe: string,
  batch?: WorkflowHandle,
  more: Record<string, string> = {},
): Promise<string> => {
  const { code, stdout, stderr } = await recipes.run(recipe, {
    ...more,
    ...(batch && { 'batch-4e1f': batch.workflowId }),
  });
  if (code !== 0) throw new Error(`${recipe} ended with ${code}:\n${stdout}${stderr}`);
  return stdout + stderr;
};
const destination = () => ({ [ailing]: road.name(ailing) });

/** The result of the batch's latest run, of which there have been so many. */
const rejected = async ({ workflowId }: WorkflowHandle): Promise<number> => {
  const { deliveries } = await road.receipts(road.client.workflow.getHandle(workflowId));
  return deliveries[ailing]!.rejected;
};

/** Waits until visibility finds so many. */
const untilFound = (query: string, found: number): Promise<void> =>
  eventually(async () => expect((await road.client.workflow.count(query)).count).toBe(found));

/** A batch that a mistake in the mapping had rejected, all at once. */
const rejectedBatch = async (): Promise<WorkflowHandle> => {
  answers(400);
  const batch = await road.start(trackEvents(3));
  expect(await rejected(batch)).toBe(3);
  return batch;
};

/** A batch whose ailing destination rejected it only after all others had it. */
const rejectedLast = async (): Promise<WorkflowHandle> => {
  answers(503);
  const batch = await road.start(trackEvents(3));
  await eventually(async () => {
    const { events: history } = await batch.fetchHistory();
    const ended = history!.filter((event) => event.activityTaskCompletedEventAttributes != null);
    expect(ended).toHaveLength(2);
  });
  answers(400);
  expect(await rejected(batch)).toBe(3);
  partner.received.length = 0;
  answers(200);
  return batch;
};

/** The event before the ailing destination's outcome, as one reads it off the history. */
const resetPoint = async (batch: WorkflowHandle): Promise<string> => {
  const { events: history } = await batch.fetchHistory();
  const last = history!.findLastIndex(
    (event) => event.activityTaskCompletedEventAttributes != null,
  );
  const point = history!
    .slice(0, last)
    .findLast((event) => event.workflowTaskCompletedEventAttributes != null);
  return String(point!.eventId);
};

const wholeBatch = async (recipe: string): Promise<void> => {
  await open();
  const batch = await rejectedBatch();
  answers(200);
  await follow(recipe, batch);
  expect(await rejected(batch)).toBe(0);
  expect(counts()).toEqual({ [ailing]: 6, one: 6, two: 6 });
  expect(keysOf('one').slice(0, 3).sort()).toEqual(keysOf('one').slice(3).sort());
};
test('whole batch', () => wholeBatch('whole batch'));
withTctl.each(['whole batch, tctl'])(title, wholeBatch);

const wholeBatches = async (recipe: string): Promise<void> => {
  await open();
  const batches = [await rejectedBatch(), await rejectedBatch()];
  answers(200);
  await untilFound(`RejectedEvents > 0 AND Destinations = "${road.name(ailing)}"`, 2);
  await follow(recipe, undefined, destination());
  await eventually(() => expect(counts()).toEqual({ [ailing]: 12, one: 12, two: 12 }));
  for (const batch of batches) expect(await rejected(batch)).toBe(0);
};
test('whole batches', () => wholeBatches('whole batches'));
withTctl.each(['whole batches, tctl'])(title, wholeBatches);

test('one destination', async () => {
  await open();
  const batch = await rejectedLast();
  const said = await follow('one destination', batch, destination());
  expect(await rejected(batch)).toBe(0);
  expect(counts()).toEqual({ [ailing]: 3 });
  expect(said).toContain('Nothing was changed.');
});

const byHand = async (recipe: string): Promise<void> => {
  await open();
  const batch = await rejectedLast();
  await follow(recipe, batch, { 'event-id 16': `event-id ${await resetPoint(batch)}` });
  expect(await rejected(batch)).toBe(0);
  expect(counts()).toEqual({ [ailing]: 3 });
};
test('one destination, by hand', () => byHand('one destination, by hand'));
withTctl.each(['one destination, tctl'])(title, async (recipe) => {
  await open();
  const batch = await rejectedLast();
  await follow(recipe, batch, { 'event_id 16': `event_id ${await resetPoint(batch)}` });
  expect(await rejected(batch)).toBe(0);
  expect(counts()).toEqual({ [ailing]: 3 });
});

/** A batch with a delivery that waits for an hour for its next try, and that delivery's id. */
const backingOff = async () => {
  answers(503);
  const batch = await road.start(trackEvents(1));
  let id = '';
  await eventually(async () => {
    const { raw } = await batch.describe();
    const waiting = raw.pendingActivities?.find(
      ({ attempt, lastFailure }) => attempt! > 1 && lastFailure != null,
    );
    id = waiting?.activityId ?? '';
    expect(id).not.toBe('');
  });
  answers(200);
  return { batch, activity: { 'activity-id 2': `activity-id ${id}` } };
};
const hour = { firstDelay: '1h', maxDelay: '1h' };

test('hurry', async () => {
  await open(hour);
  const { batch, activity } = await backingOff();
  const before = counts()[ailing]!;
  await follow('hurry', batch, activity);
  await road.receipts(batch);
  expect(counts()).toEqual({ [ailing]: before + 1, one: 1, two: 1 });
});

test('hurry all', async () => {
  await open(hour);
  const { batch } = await backingOff();
  const before = counts()[ailing]!;
  await untilFound(`Destinations = "${road.name(ailing)}" AND ExecutionStatus = "Running"`, 1);
  await follow('hurry all', undefined, destination());
  await road.receipts(batch);
  expect(counts()).toEqual({ [ailing]: before + 1, one: 1, two: 1 });
});

test('pause, unpause', async () => {
  await open({ firstDelay: '1s', maxDelay: '1s' });
  answers(503);
  const { batch, activity } = await backingOff();
  await follow('pause', batch, activity);
  const { raw } = await batch.describe();
  expect(raw.pendingActivities).toMatchObject([{ paused: true }]);
  const before = counts()[ailing]!;
  // Another batch goes through, and calls back what waits for the same partner: not what is paused.
  await road.receipts(await road.start(trackEvents(1)));
  expect(counts()[ailing]).toBe(before + 1);
  await follow('unpause', batch, activity);
  await road.receipts(batch);
  expect(counts()[ailing]).toBe(before + 2);
});

test('rate', async () => {
  await open({}, []);
  await follow('rate', undefined, destination());
  const batches = await Promise.all(trackEvents(6).map((event) => road.start([event])));
  await Promise.all(batches.map((batch) => road.receipts(batch)));
  const times = partner.received.map(({ at }) => at);
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(2_500);
});

const parked = async (): Promise<WorkflowHandle> => {
  answers(401);
  const batch = await road.start(trackEvents(2));
  await untilFound(
    `StuckDestinations = "${road.name(ailing)}" AND WorkflowId = "${batch.workflowId}"`,
    1,
  );
  return batch;
};
const redrive = async (recipe: string): Promise<void> => {
  await open();
  const batch = await parked();
  partner.received.length = 0;
  answers(200);
  await follow(recipe, batch, destination());
  await road.receipts(batch);
  expect(counts()).toEqual({ [ailing]: 2 });
};
test('redrive', () => redrive('redrive'));
withTctl.each(['redrive, tctl'])(title, redrive);

test('redrive all', async () => {
  await open();
  const batches = [await parked(), await parked()];
  partner.received.length = 0;
  answers(200);
  await follow('redrive all', undefined, destination());
  for (const batch of batches) await road.receipts(batch);
  expect(counts()).toEqual({ [ailing]: 4 });
});

test('redrive by reason', async () => {
  await open();
  const batch = await parked();
  partner.received.length = 0;
  answers(200);
  await follow('redrive by reason', batch, { ...destination(), '"refused", ': '' }); // it failed for that
  const state = await batch.query<BatchState>(deliveriesQuery);
  expect(state[road.name(ailing)]).toMatchObject({ state: 'parked' });
  await follow('redrive by reason', batch, destination());
  await road.receipts(batch);
  expect(counts()).toEqual({ [ailing]: 2 });
});

test('abandon', async () => {
  await open();
  const batch = await parked();
  partner.received.length = 0;
  answers(200);
  await follow('abandon', batch, destination());
  const { deliveries } = await road.receipts(batch);
  expect(deliveries[ailing]).toMatchObject({
    delivered: 0,
    abandoned: [{ reason: 'the customer has left them', count: 2, events: [0, 2] }],
  });
  expect(counts()).toEqual({});
});

/** What decodes for the command line, in place of the endpoint of `distributary start`. */
const codec = async () => {
  const { url } = await serveApi({ codec: { keys: [], webUi: [] } });
  return { 'http://127.0.0.1:3000': url };
};

test('details', async () => {
  await open();
  const said = await follow('details', await parked(), await codec());
  expect(said).toContain(`**${road.name(ailing)}**: 2 events parked since`);
  expect(said).toContain('`401 oh`; the partner certainly has none of those left');
});

test('deliveries', async () => {
  await open();
  const said = await follow('deliveries', await parked(), await codec());
  expect(JSON.parse(/\{.*\}/.exec(said)![0])).toMatchObject({
    [road.name('one')]: { state: 'settled', receipt: { delivered: 2 } },
    [road.name(ailing)]: {
      state: 'parked',
      unsettled: [{ count: 2, events: [0, 2], code: 'refused', parked: 'refused' }],
    },
  });
});

test('kept too long', async () => {
  await open({ keepFor: '1s' }, []); // what others had not ended goes out again, too
  const batches = [await parked(), await parked()];
  await untilFound(
    `ExecutionStatus = "Failed" AND StuckDestinations = "${road.name(ailing)}"`,
    batches.length,
  );
  partner.received.length = 0;
  answers(200);
  await follow('kept too long', undefined, destination());
  for (const { workflowId } of batches) {
    const { deliveries } = await road.receipts(road.client.workflow.getHandle(workflowId));
    expect(deliveries[ailing]!.delivered).toBe(2);
  }
  expect(counts()).toEqual({ [ailing]: 4 });
});

test('replay', async () => {
  await open();
  const batch = await rejectedLast();
  const folder = mkdtempSync(join(tmpdir(), 'distributary-test-'));
  try {
    const file = join(folder, 'history.json');
    const said = await follow('replay', batch, { 'batch-4e1f.json': file });
    expect(said).toContain(`ok       ${file}\n1 replayed, none diverges.\n`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveProperty('events');
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(counts()).toEqual({});
});

test('replay by query', async () => {
  await open();
  const batches = [await rejectedLast(), await rejectedLast()];
  await follow('whole batch', batches[0]);
  expect(await rejected(batches[0]!)).toBe(0);
  partner.received.length = 0;
  await untilFound(`Destinations = "${road.name(ailing)}"`, 3); // a reset makes a run
  const said = await follow('replay by query', undefined, destination());
  for (const { workflowId } of batches) expect(said).toContain(`ok       ${workflowId} `);
  expect(said).toContain('3 replayed, none diverges.');
  expect(counts()).toEqual({});
});

test('there is no recipe that is not run here', () => {
  const tried = recipes.notRun().filter((recipe) => isOnPath('tctl') || !recipe.endsWith(', tctl'));
  expect(tried).toEqual([]);
});
