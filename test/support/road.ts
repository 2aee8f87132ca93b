import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { createBatchReader } from '../../src/activities/batch-reader.ts';
import { createTurns } from '../../src/turns.ts';
import { createBatchStarter } from '../../src/api/start-batch.ts';
import { parseConfig, type Config } from '../../src/config.ts';
import type { BatchReceipt, Progress } from '../../src/delivery.ts';
import type { EncryptionKey } from '../../src/encryption.ts';
import type { Event } from '../../src/event.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createCallBack } from '../../src/temporal/call-back.ts';
import { createDataConverter } from '../../src/temporal/data-converter.ts';
import { createPayloadCodec } from '../../src/temporal/payload-codec.ts';
import { destinationStation } from '../../src/workers/destination-station.ts';
import { createLag } from '../../src/workers/lag.ts';
import { installRuntime } from '../../src/temporal/runtime.ts';
import { startWorkers, workflowStation, type WorkerSet } from '../../src/workers/worker-set.ts';

const log = createLog('silent');
installRuntime(log);

/** The bundle that `npm run build` made; `npm test` builds first. */
export const workflowBundle = resolve(import.meta.dirname, '../../dist/workflow-bundle.js');

/** One destination's entry of a configuration; its name is made unique by the road. */
export type DestinationEntry = { name: string; type: string } & Record<string, unknown>;

/** Workers and a starter of batches on the test run's Temporal, with queues of their own. */
export interface Road {
  config: Config;
  client: Client;
  connection: NativeConnection;
  /** A destination's unique name, by the name the test gave it. */
  name: (destination: string) => string;
  /** Starts a batch of one source, or of several. */
  start: (events: readonly Event[], source?: string) => Promise<WorkflowHandle>;
  startOf: (parts: { source: string; events: readonly Event[] }[]) => Promise<WorkflowHandle>;
  /** A batch's receipt, by the names the test gave its destinations. */
  receipts: (batch: WorkflowHandle) => Promise<BatchReceipt>;
  /** The checkpoint that a pending delivery's last heartbeat kept. */
  checkpoint: (batch: WorkflowHandle) => Promise<Progress | undefined>;
  /** Gives the destinations of a road that had none their workers. */
  attend: () => Promise<void>;
  /** Takes the workers down, as a drain does, and puts others in their place; perhaps with other keys. */
  restartWorkers: (keys?: readonly EncryptionKey[]) => Promise<void>;
  /** As often as one likes. */
  close: () => Promise<void>;
}

export interface RoadOptions {
  destinations: readonly DestinationEntry[];
  sources?: readonly string[];
  allowPrivate?: boolean;
  /** Whether the destinations have workers. */
  attended?: boolean;
  /** Of the configuration's `encryption`. */
  keys?: readonly { id: string; key: string }[];
}

/** Opens a road; `sources` is the configuration's, of one source `website` where omitted. */
export const openRoad = async ({
  destinations,
  sources = ['website'],
  allowPrivate = true,
  attended = true,
  keys: encryption = [],
}: RoadOptions): Promise<Road> => {
  const unique = randomUUID().slice(0, 8);
  const name = (destination: string): string => `${destination}-${unique}`;
  const config = parseConfig(
    JSON.stringify({
      sources: sources.map((source) => ({ name: source, writeKey: `key-of-${source}` })),
      destinations: destinations.map((entry) => ({ ...entry, name: name(entry.name) })),
      network: { allowPrivate },
      ...(encryption.length > 0 && { encryption: { keys: encryption } }),
    }),
    {},
    'of the test',
  );
  const connection = await NativeConnection.connect({
    address: process.env['TEST_TEMPORAL_ADDRESS']!,
  });
  const keys = config.encryptionKeys;
  const client = new Client({ connection, dataConverter: createDataConverter(keys) });
  let isAttended = attended;
  const startAll = (known: readonly EncryptionKey[]): Promise<WorkerSet> =>
    startWorkers({
      connection,
      namespace: 'default',
      dataConverter: createDataConverter(known),
      log,
      stations: [
        workflowStation(workflowBundle, `batches-${unique}`),
        ...(isAttended ? config.destinations : []).map((destination) =>
          destinationStation({
            destination,
            readBatch: createBatchReader({
              workflowService: connection.workflowService,
              namespace: 'default',
              keys: known,
              keptBytes: 1024 * 1024,
            }).read,
            callBack: createCallBack(connection.workflowService, 'default'),
            turns: createTurns(),
            allowPrivate,
            lag: createLag(),
            metrics: createMetrics().deliveries,
            log,
          }),
        ),
      ],
    });
  let workers = await startAll(keys);
  const starter = createBatchStarter({ client, config, taskQueue: `batches-${unique}` });
  const startOf: Road['startOf'] = async (parts) =>
    client.workflow.getHandle(
      await starter(
        parts.map(({ source, events }) => ({
          source,
          events: events.map((event) => ({ event, json: JSON.stringify(event) })),
        })),
      ),
    );
  const close = async (): Promise<void> => {
    await workers.shutdown();
    await connection.close();
  };
  let closed: Promise<void> | undefined;
  return {
    config,
    client,
    connection,
    name,
    startOf,
    start: (events, source = 'website') => startOf([{ source, events }]),
    receipts: async (batch) => {
      const { events, deliveries } = (await batch.result()) as BatchReceipt;
      return {
        events,
        deliveries: Object.fromEntries(
          Object.entries(deliveries).map(([full, receipt]) => [
            full.slice(0, -unique.length - 1),
            receipt,
          ]),
        ),
      };
    },
    checkpoint: async (batch) => {
      const { raw } = await batch.describe();
      const kept = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads;
      if (kept == null) return undefined;
      const [payload] = await createPayloadCodec(keys).decode(kept);
      return JSON.parse(Buffer.from(payload!.data!).toString()) as Progress;
    },
    attend: async () => {
      isAttended = true;
      await workers.shutdown();
      workers = await startAll(keys);
    },
    restartWorkers: async (known = keys) => {
      await workers.shutdown();
      workers = await startAll(known);
    },
    close: () => (closed ??= close()),
  };
};
