import { resolve } from 'node:path';
import { Client } from '@temporalio/client';
import { createBatchReader } from './activities/batch-reader.ts';
import { startApi, type ApiPlace } from './api-service.ts';
import type { Config } from './config.ts';
import type { Destination } from './destinations/destination.ts';
import type { Logger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { createCallBack } from './temporal/call-back.ts';
import { connect, type TemporalTarget } from './temporal/connect.ts';
import { createDataConverter } from './temporal/data-converter.ts';
import { createOpenBatches } from './temporal/open-batches.ts';
import { openDestinations } from './temporal/open-destinations.ts';
import { createPollerList, type Ailments } from './temporal/pollers.ts';
import { installRuntime } from './temporal/runtime.ts';
import { ensureSearchAttributes } from './temporal/search-attributes.ts';
import { createTurns } from './turns.ts';
import { UserError } from './user-error.ts';
import { destinationStation } from './workers/destination-station.ts';
import { createLag } from './workers/lag.ts';
import { operationsStation } from './workers/operations-station.ts';
import { watchRetired } from './workers/retired-watch.ts';
import { startWorkers, workflowStation } from './workers/worker-set.ts';

/** The parts of the road that a process hosts. */
export interface Parts {
  /** Where the API listens; absent: not here. It needs `workflows` for eager starts. */
  api?: ApiPlace;
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
/** Within this time a worker that is alive asks for tasks, also where there are none. */
const longestPollMs = 70_000;
/** On a Temporal of our own others seldom work: whoever asked before we started has ended. */
const ofOurOwnMs = 10_000;
const workflowBundle = resolve(import.meta.dirname, 'workflow-bundle.js');

/**
 * Runs parts of the road in this process, wired to each other and to Temporal; resolves once all of
 * them work.
 * @param ofTemporal what is wrong with a Temporal of our own although it answers; absent: it is another's
 * @throws UserError where Temporal or a port cannot be had
 */
export const startService = async (
  config: Config,
  parts: Parts,
  target: TemporalTarget,
  log: Logger,
  ofTemporal?: () => Ailments,
): Promise<Service> => {
  installRuntime(log);
  const { namespace } = target;
  const connection = await connect(target);
  await ensureSearchAttributes(connection, namespace);
  const { workflowService } = connection;

  const keys = config.encryptionKeys;
  const dataConverter = createDataConverter(keys);
  const metrics = createMetrics();
  const lag = createLag();
  const batches = createBatchReader({ workflowService, namespace, keys, keptBytes });
  const turns = createTurns();
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
          readBatch: batches.read,
          callBack,
          turns,
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
        readBatch: batches.read,
        log,
        now: Date.now,
        firstLookMs: ofTemporal === undefined ? longestPollMs : ofOurOwnMs,
      })
    : () => undefined;
  const stopWorkers = async (): Promise<void> => {
    endRetired();
    await workers.shutdown();
    await connection.close();
  };
  if (parts.api === undefined) return { stop: stopWorkers };

  try {
    const api = await startApi({
      at: parts.api,
      config,
      client,
      connection,
      namespace,
      workers,
      lag,
      metrics,
      keepBatch: parts.destinations.length > 0 ? batches.keep : () => undefined,
      // Of our own workers each tells: those of others have to be asked for.
      others: parts.destinations.length > 0 ? [] : config.destinations,
      ofTemporal: ofTemporal ?? (() => []),
      log,
    });
    return {
      url: api.url,
      stop: async () => {
        await api.stop();
        await stopWorkers();
      },
    };
  } catch (error) {
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
