import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { encodeEvents } from '../../src/temporal/events-encoding.ts';
import { UserError } from '../../src/user-error.ts';
import { eventually } from '../support/eventually.ts';
import { trackEvent } from '../support/events.ts';
import { fastRetry, partneredRoads } from '../support/partnered-roads.ts';
import type { Road } from '../support/road.ts';

const key = (id: string) => ({ id, key: randomBytes(32).toString('base64') });

const { partner, open: openRoad, hook } = partneredRoads();

const open = (keys: { id: string; key: string }[]): Promise<Road> =>
  openRoad([hook('hook', { retry: fastRetry })], { keys });

/** Its one part has failed; more than once perhaps, for it is tried again each second. */
const expectFailed = async (road: Road, batch: WorkflowHandle): Promise<void> => {
  const { unsettled } = (await road.checkpoint(batch))!;
  expect(unsettled).toHaveLength(1);
  expect(unsettled[0]!.attempts).toBeGreaterThanOrEqual(1);
};

/** All that Temporal holds of a batch, bytes as the text that they may be. */
const stored = async (road: Road, { workflowId }: WorkflowHandle): Promise<string> => {
  const { workflowService } = road.connection;
  const of = { namespace: 'default', execution: { workflowId } };
  const [history, description] = await Promise.all([
    workflowService.getWorkflowExecutionHistory(of),
    workflowService.describeWorkflowExecution(of),
  ]);
  return JSON.stringify([history.history, description], (_, value: unknown) =>
    // Bytes are base64 by now, and what is not base64 adds no more than noise.
    typeof value === 'string'
      ? `${value} ${Buffer.from(value, 'base64').toString('latin1')}`
      : value,
  );
};

const partnersWords = 'no room for jane-17';
const fail = () => partner.script(() => ({ status: 503, body: partnersWords }));
const event = trackEvent({ messageId: 'a-message', event: 'Wedding Ring Bought' });

test('Temporal holds no word of an event, nor of what a partner said of it', async () => {
  const [plain, secret] = await Promise.all([open([]), open([key('k1')])]);
  fail();
  const batches = [
    [plain, await plain.start([event])],
    [secret, await secret.start([event])],
  ] as const;
  for (const [road, batch] of batches) {
    await eventually(async () => {
      const { raw } = await batch.describe();
      expect(raw.pendingActivities?.[0]?.lastFailure).toBeTruthy();
      await expectFailed(road, batch);
    });
  }
  expect(await stored(plain, batches[0][1])).toContain(partnersWords);
  const words = [partnersWords, 'jane-17', 'Wedding', 'a-message', 'firstDelayMs'];
  const pending = await stored(secret, batches[1][1]);
  partner.script(() => ({ status: 400, body: partnersWords }));
  const settled: string[] = [];
  for (const [road, batch] of batches) {
    expect(await road.receipts(batch)).toMatchObject({
      deliveries: {
        hook: { rejected: 1, rejections: [{ reason: expect.stringContaining(partnersWords) }] },
      },
    });
    settled.push(await stored(road, batch));
  }
  expect(settled[0]).toContain(partnersWords);
  for (const text of [pending, settled[1]!]) {
    expect(text).toContain('k1'); // the key's id, and not its bytes
    for (const word of words) expect([word, text.includes(word)]).toEqual([word, false]);
  }
  // What is found by is readable for good.
  expect(settled[1]).toContain('website');
}, 60_000);

test("a workflow's own failures are out of sight too", async () => {
  for (const keys of [[], [key('k1')]]) {
    const road = await open(keys);
    const events = await encodeEvents(
      [{ source: 'website', events: [{ event, json: JSON.stringify(event) }] }],
      road.config.encryptionKeys,
    );
    // A plan that no version of ours makes: the workflow's code trips over it.
    const batch = await road.client.workflow.start('deliverBatch', {
      workflowId: `broken-${road.name('batch')}`,
      taskQueue: road.name('batches'),
      args: [{ version: 1 }, events],
    });
    try {
      await eventually(async () => {
        const text = await stored(road, batch);
        expect(text).toContain('workflowTaskFailedEventAttributes');
        expect(text.includes('Cannot read properties of undefined')).toBe(keys.length === 0);
      });
    } finally {
      await batch.terminate();
    }
  }
}, 60_000);

test('a batch goes on once the key that was gone is back', async () => {
  const road = await open([key('old')]);
  const [old] = road.config.encryptionKeys;
  fail();
  const batch = await road.start([event]);
  await eventually(() => expectFailed(road, batch));
  partner.script(() => ({ status: 200 }));
  const other = { ...old!, id: 'new' };
  await road.restartWorkers([other]);
  await eventually(async () => {
    const { raw } = await batch.describe();
    // By keys that it has it cannot be read what is wrong; by those of the failure's own it can.
    expect(raw.pendingActivities?.[0]?.lastFailure?.encodedAttributes?.metadata).toMatchObject({
      'encryption-key-id': Buffer.from('new'),
    });
  });
  const before = partner.received.length;
  expect(await batch.describe()).toMatchObject({ status: { name: 'RUNNING' } });

  await road.restartWorkers([other, old!]);
  // Who asks without the newer key is told so as a mistake of his: a command ends with exit code 2.
  for (const asked of [() => batch.result(), () => batch.query('__stack_trace')]) {
    const error: unknown = await asked().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toMatch(/encrypted with the key "new".*encryption\.keys/);
  }
  expect(partner.received.length).toBe(before + 1);
}, 60_000);
