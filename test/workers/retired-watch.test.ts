import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NativeConnection } from '@temporalio/worker';
import { createBatchReader } from '../../src/activities/batch-reader.ts';
import { deliveriesQuery, redriveSignal, type BatchState } from '../../src/delivery.ts';
import { createLog } from '../../src/log.ts';
import { createDataConverter } from '../../src/temporal/data-converter.ts';
import { createPollerList } from '../../src/temporal/pollers.ts';
import { watchRetired } from '../../src/workers/retired-watch.ts';
import { startWorkers } from '../../src/workers/worker-set.ts';
import { trackEvent } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { startPartner, type Partner } from '../support/partner.ts';
import { openRoad } from '../support/road.ts';

const log = createLog('silent');
let partner: Partner;
beforeAll(async () => {
  partner = await startPartner();
});
afterAll(() => partner.close());

/** A batch to a destination that has no worker, and a process that does not have it configured. */
const open = async () => {
  const settings = { url: `${partner.url}/gone` };
  const road = await openRoad({
    destinations: [{ name: 'gone', type: 'webhook', settings }],
    attended: false,
  });
  const connection = await NativeConnection.connect({
    address: process.env['TEST_TEMPORAL_ADDRESS']!,
  });
  const workers = await startWorkers({
    connection,
    namespace: 'default',
    dataConverter: createDataConverter([]),
    stations: [],
    log,
  });
  const end = watchRetired({
    configured: new Set(['another']),
    openDestinations: () => Promise.resolve(new Set([road.name('gone'), 'another'])),
    pollers: createPollerList({ connection, namespace: 'default' }),
    workers,
    readBatch: createBatchReader({
      workflowService: connection.workflowService,
      namespace: 'default',
      keys: [],
      keptBytes: 1_000,
    }).read,
    log,
    now: Date.now,
    firstLookMs: 100,
    everyMs: 500,
  });
  return {
    road,
    close: async () => {
      end();
      await workers.shutdown();
      await connection.close();
      await road.close();
    },
  };
};

test('deliveries to a removed destination park with that reason, and go on once it is back', async () => {
  const { road, close } = await open();
  try {
    const gone = road.name('gone');
    const batch = await road.start([trackEvent({ messageId: 'm-1' }), trackEvent({})]);
    await eventually(async () =>
      expect((await batch.query<BatchState>(deliveriesQuery))[gone]).toMatchObject({
        state: 'parked',
        unsettled: [{ connection: gone, events: [0, 2], parked: 'removed', code: 'removed' }],
      }),
    );
    expect(partner.received).toEqual([]);
    await road.attend();
    // The worker that parks has to see the destination's own before it leaves the queue to it.
    await eventually(async () => {
      const { state } = (await batch.query<BatchState>(deliveriesQuery))[gone]!;
      if (state === 'parked') await batch.signal(redriveSignal, { reasons: ['removed'] });
      expect(state).toBe('settled');
    });
    expect((await road.receipts(batch)).deliveries['gone']).toMatchObject({ delivered: 2 });
  } finally {
    await close();
  }
});
