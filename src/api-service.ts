import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { createBatchReader, type BatchReader } from './activities/batch-reader.ts';
import { createApi } from './api/app.ts';
import { createCoalescer } from './api/coalescer.ts';
import type { Door } from './api/door.ts';
import { listen } from './api/server.ts';
import { createBatchStarter } from './api/start-batch.ts';
import type { Config } from './config.ts';
import { destinationQueue } from './delivery.ts';
import type { Destination } from './destinations/destination.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { createExplainer } from './operator/explainer.ts';
import { watchBacklog } from './temporal/backlog.ts';
import { createPollerCheck, type Ailments } from './temporal/pollers.ts';
import type { Lag } from './workers/lag.ts';
import type { WorkerSet } from './workers/worker-set.ts';

/** Where the API listens. */
export interface ApiPlace {
  host: string;
  port: number;
  /** Taken already. */
  door?: Door;
  /** The Web UI of our own Temporal: it may have payloads decoded. */
  uiUrl?: string | undefined;
}

/** Of a search for an event, in a process that has events to take. */
const searchLimits = { batches: 5_000, ms: 20_000 };

/** A page on loopback goes by either name. */
const uiOrigins = (url: string | undefined): string[] =>
  url === undefined ? [] : [url, url.replace('127.0.0.1', 'localhost')];

/**
 * Starts the API of a process that has its workers.
 * @param keepBatch told of each batch that is started here
 * @param others destinations that this process has no worker for: it asks how far they are behind
 * @param ofTemporal what is wrong with a Temporal of our own although it answers: nothing is durable then
 * @throws UserError where the port cannot be had
 */
export const startApi = async ({
  at,
  config,
  client,
  connection,
  namespace,
  workers,
  lag,
  metrics,
  keepBatch,
  others,
  ofTemporal,
  log,
}: {
  at: ApiPlace;
  config: Config;
  client: Client;
  connection: NativeConnection;
  namespace: string;
  workers: Pick<WorkerSet, 'queues' | 'ended'>;
  lag: Lag;
  metrics: Metrics;
  keepBatch: BatchReader['keep'];
  others: readonly Destination[];
  ofTemporal: () => Ailments;
  log: Logger;
}): Promise<{ url: string; stop: () => Promise<void> }> => {
  const { encryptionKeys: keys, operator } = config;
  const start = createBatchStarter({ client, config, onStarted: keepBatch });
  const coalescer = createCoalescer({
    start: (parts) => {
      const [ailment] = ofTemporal();
      if (ailment !== undefined) throw new Error(ailment);
      return start(parts);
    },
    lagMs: lag.ms,
    heavyLagMs: lag.heavyMs,
    metrics: metrics.batches,
    log,
  });
  const ailments = createPollerCheck({ connection, namespace, queues: workers.queues });
  const app = createApi({
    sources: config.sources,
    coalescer,
    health: async () => {
      // Temporal names pollers for minutes after they have ended: it cannot tell of our own.
      const found = [
        ...(await ailments()),
        ...workers.ended().map((queue) => `no worker runs for ${queue}`),
        ...ofTemporal(),
      ];
      return { ok: found.length === 0, ...(found.length > 0 && { ailments: found }) };
    },
    metrics,
    log,
    trustProxy: config.trustProxy,
    codec: {
      keys,
      webUi: uiOrigins(at.uiUrl),
      ...(operator !== undefined && { token: operator.token }),
    },
    ...(operator !== undefined && {
      operator: {
        token: operator.token,
        explain: createExplainer({
          client,
          // Of its own, so that a search does not put out what deliveries are about to need.
          readBatch: createBatchReader({
            workflowService: connection.workflowService,
            namespace,
            keys,
            keptBytes: 0,
          }).read,
          destinations: config.destinations,
          limits: searchLimits,
        }),
      },
    }),
  });
  const server = at.door?.open(app) ?? (await listen(app, at));
  const endWatch = watchBacklog({
    connection,
    namespace,
    queues: others.map(({ name }) => destinationQueue(name)),
    observe: (queue, ageMs) => lag.observe(queue, ageMs, true), // who is to blame is not seen here
  });
  return {
    url: server.url,
    stop: async () => {
      await server.close();
      endWatch();
    },
  };
};
