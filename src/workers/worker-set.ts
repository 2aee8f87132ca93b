import { setTimeout as sleep } from 'node:timers/promises';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { batchQueue } from '../delivery.ts';
import type { Logger } from '../log.ts';
import { dataConverter } from '../temporal/data-converter.ts';

/** A task queue that this process works on, with what its worker is made of. */
export interface Station {
  queue: string;
  options: Omit<WorkerOptions, 'connection' | 'namespace' | 'taskQueue' | 'dataConverter'>;
  /** Gives back what the worker used, once it has ended for good. */
  close?: () => Promise<void>;
}

/** The workers of a process: one for workflows, if any, and one for each destination. */
export interface WorkerSet {
  queues: readonly string[];
  /** The queues whose worker has ended by an error and does not run again yet. */
  ended: () => string[];
  /** Takes no more tasks, lets those under way end or hand over, and resolves when all have. */
  shutdown: () => Promise<void>;
}

const longestRestartDelayMs = 30_000;
/** A worker that has run for so long was sound: its end is a new matter. */
const soundAfterMs = 60_000;

/** The station of `batches`, from the bundle that the build made. */
export const workflowStation = (codePath: string, queue = batchQueue): Station => ({
  queue,
  options: {
    workflowBundle: { codePath },
    maxCachedWorkflows: 500,
    maxConcurrentWorkflowTaskExecutions: 40,
  },
});

/**
 * Starts a worker per station. A worker that ends by an error is made anew, with growing delays, and
 * for as long as the process lives: an outage of the cluster, or a fault in one of them, ends none
 * for good and no other with it.
 */
export const startWorkers = async ({
  connection,
  namespace,
  stations,
  log,
}: {
  connection: NativeConnection;
  namespace: string;
  stations: readonly Station[];
  log: Logger;
}): Promise<WorkerSet> => {
  let stopping = false;
  const isStopping = (): boolean => stopping;
  const stopped = new AbortController();
  const current = new Map<string, Worker>();

  const create = ({ queue, options }: Station): Promise<Worker> =>
    Worker.create({ ...options, connection, namespace, taskQueue: queue, dataConverter });

  const keepRunning = async (station: Station, first: Worker): Promise<void> => {
    const { queue } = station;
    let worker = first;
    for (let failures = 0; ; failures++) {
      const began = performance.now();
      try {
        current.set(queue, worker);
        await worker.run();
        return; // it was asked to
      } catch (error) {
        log.error({ err: error, queue }, 'a worker ended by an error; it is started again');
        if (performance.now() - began > soundAfterMs) failures = 0;
      }
      while (!isStopping()) {
        await sleep(Math.min(1_000 * 2 ** failures, longestRestartDelayMs), undefined, {
          signal: stopped.signal,
        }).catch(() => undefined);
        if (isStopping()) return;
        try {
          worker = await create(station);
          break;
        } catch (error) {
          failures += 1;
          log.error({ err: error, queue }, 'a worker could not be started; it is tried again');
        }
      }
      if (isStopping()) {
        // Made in the last moment: a worker gives its connection back only once it has run.
        const ending = worker.run();
        worker.shutdown();
        await ending;
        return;
      }
    }
  };

  const workers = await Promise.all(stations.map(create));
  const running = stations.map((station, at) => keepRunning(station, workers[at]!));
  return {
    queues: stations.map(({ queue }) => queue),
    ended: () =>
      [...current].filter(([, worker]) => worker.getState() !== 'RUNNING').map(([queue]) => queue),
    shutdown: async () => {
      stopping = true;
      stopped.abort();
      for (const worker of current.values()) {
        if (worker.getState() === 'RUNNING') worker.shutdown();
      }
      await Promise.all(running);
      for (const { close } of stations) await close?.();
    },
  };
};
