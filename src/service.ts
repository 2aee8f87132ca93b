import { resolve } from 'node:path';
import { Client } from '@temporalio/client';
import { createBatchReader } from './activities/batch-reader.ts';
import { createTurns } from './activities/turns.ts';
import { createApi } from './api/app.ts';
import { createCoalescer } from './api/coalescer.ts';
import type { Door } from './api/door.ts';
import { listen } from './api/server.ts';
import { createBatchStarter } from './api/start-batch.ts';
import type { Config } from './config.ts';
import { destinationQueue } from './delivery.ts';
import type { Destination } from './destinations/destination.ts';
import type { Logger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { watchBacklog } from './temporal/backlog.ts';
import { createCallBack } from './temporal/call-back.ts';
import { connect, type TemporalTarget } from './temporal/connect.ts';
import { createDataConverter } from './temporal/data-converter.ts';
import { createOpenBatches } from './temporal/open-batches.ts';
import { openDestinations } from './temporal/open-destinations.ts';
import { createPollerCheck, createPollerList, type Ailments } from './temporal/pollers.ts';
import { createExplainer } from './operator/explainer.ts';
import { installRuntime } from './temporal/runtime.ts';
import { ensureSearchAttributes } from './temporal/search-attributes.ts';
import { UserError } from './user-error.ts';
import { destinationStation } from './workers/destination-station.ts';
import { createLag } from './workers/lag.ts';
import { operationsStation } from './workers/operations-station.ts';
import { watchRetired } from './workers/retired-watch.ts';
import { startWorkers, workflowStation } from './workers/worker-set.ts';

/** The parts of the road that a process hosts. */
export interface Parts {
  /** Where the API listens; absent: not here. It needs `workflows` for eager starts. */
  api?: {
    host: string;
    port: number;
    /** Taken already. */
    door?: Door;
    /** The Web UI of our own Temporal: it may have payloads decoded. */
    uiUrl?: string | undefined;
  };
  workflows: boolean;
  destinations: readonly Destination[];
}

export interface Service {
  /** Where events are posted; absent without an API. */
  url?: string;
  /** Takes nothing new, lets what is under way end or hand over, and resolves when all has. */
  stop: () => Promise<void>;
}

/** Most bytes of JSON text of batches that a process keeps for deliveries to come. */
const keptBytes = 64 * 1024 * 1024;
/** Of a search for an event, in a process that has events to take. */
const searchLimits = { batches: 5_000, ms: 20_000 };
const workflowBundle = resolve(import.meta.dirname, 'workflow-bundle.js');

/** A page on loopback goes by either name. */
const uiOrigins = (url: string | undefined): string[] =>
  url === undefined ? [] : [url, url.replace('127.0.0.1', 'localhost')];

/**
 * Runs parts of the road in this process, wired to each other and to Temporal; resolves once all of
 * them work.
 * @param ofTemporal what is wrong with a Temporal of our own although it answers
 * @throws UserError where Temporal or a port cannot be had
 */
export const startService = async (
  config: Config,
  parts: Parts,
  target: TemporalTarget,
  log: Logger,
  ofTemporal: () => Ailments = () => [],
): Promise<Service> => {
  installRuntime(log);
  const { namespace } = target;
  const connection = await connect(target);
  await ensureSearchAttributes(connection, namespace);
  const { workflowService } = connection;

  const keys = config.encryptionKeys;
  const dataConverter = createDataConverter(keys);
  const metrics = createMetrics();
  const lag = createLag(Date.now);
  const readBatch = createBatchReader({ workflowService, namespace, keys, keptBytes });
  const turn = createTurns(lag.observeHeavy, Date.now);
  const callBack = createCallBack(workflowService, namespace);
  const client = new Client({ connection, namespace, dataConverter });
  const workers = await startWorkers({
    connection,
    namespace,
    dataConverter,
    log,
    stations: [
      ...(parts.workflows
        ? [
            workflowStation(workflowBundle),
            operationsStation({ ...createOpenBatches(client), callBack, lagMs: lag.ms }),
          ]
        : []),
      ...parts.destinations.map((destination) =>
        destinationStation({
          destination,
          readBatch,
          callBack,
          turn,
          allowPrivate: config.allowPrivate,
          lag,
          metrics: metrics.deliveries,
          log,
        }),
      ),
    ],
  });
  const endRetired = parts.workflows
    ? watchRetired({
        configured: new Set(config.destinations.map(({ name }) => name)),
        openDestinations: () => openDestinations(client),
        pollers: createPollerList({ connection, namespace }),
        workers,
        readBatch,
        log,
        now: Date.now,
      })
    : () => undefined;
  const stopWorkers = async (): Promise<void> => {
    endRetired();
    await workers.shutdown();
    await connection.close();
  };
  if (parts.api === undefined) return { stop: stopWorkers };

  const endWatch =
    parts.destinations.length > 0
      ? () => undefined
      : watchBacklog({
          connection,
          namespace,
          queues: config.destinations.map(({ name }) => destinationQueue(name)),
          observe: lag.observe,
        });
  const coalescer = createCoalescer({
    start: createBatchStarter(client, config),
    lagMs: lag.ms,
    heavyLagMs: lag.heavyMs,
    metrics: metrics.batches,
    now: Date.now,
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
      webUi: uiOrigins(parts.api.uiUrl),
      ...(config.operator !== undefined && { token: config.operator.token }),
    },
    ...(config.operator !== undefined && {
      operator: {
        token: config.operator.token,
        explain: createExplainer({
          client,
          // Of its own, so that a search does not put out what deliveries are about to need.
          readBatch: createBatchReader({ workflowService, namespace, keys, keptBytes: 0 }),
          destinations: config.destinations,
          limits: searchLimits,
        }),
      },
    }),
  });
  try {
    const server = parts.api.door?.open(app) ?? (await listen(app, parts.api));
    return {
      url: server.url,
      stop: async () => {
        await server.close();
        endWatch();
        await stopWorkers();
      },
    };
  } catch (error) {
    endWatch();
    await stopWorkers();
    throw error;
  }
};

/**
 * The destinations of these names; all where none are given.
 * @throws UserError for a name that is not configured
 */
export const destinationsNamed = (
  { destinations }: Config,
  names: readonly string[] | undefined,
): readonly Destination[] =>
  names?.map((name) => {
    const found = destinations.find((destination) => destination.name === name);
    if (found !== undefined) return found;
    const known = destinations.map((destination) => destination.name).join(', ');
    throw new UserError(
      `There is no destination named ${name}; the configuration has ${known || 'none'}.`,
    );
  }) ?? destinations;
