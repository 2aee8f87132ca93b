import { setTimeout as sleep } from 'node:timers/promises';
import type { DataConverter } from '@temporalio/common';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { batchQueue } from '../delivery.ts';
import type { Logger } from '../log.ts';

/** A task queue that this process works on, with what its worker is made of. */
export interface Station {
  queue: string;
  options: Omit<WorkerOptions, 'connection' | 'namespace' | 'taskQueue' | 'dataConverter'>;
  /** Gives back what the worker used, once it has ended for good. */
  close?: () => Promise<void>;
}

/** The workers of a process: one for workflows, if any, one for each destination, and what is added. */
export interface WorkerSet {
  /** Those that it was started with. */
  queues: readonly string[];
  /** The queues whose worker has ended by an error and does not run again yet. */
  ended: () => string[];
  /** Starts a worker on a queue that has none here; `remove` ends it again. */
  add: (station: Station) => Promise<void>;
  remove: (queue: string) => Promise<void>;
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

/** A station's worker for as long as it is wanted. */
interface Running {
  state: () => string;
  /** Lets what is under way end or hand over, and gives back what the worker used. */
  stop: () => Promise<void>;
}

/**
 * Starts a worker per station. A worker that ends by an error is made anew, with growing delays, and
 * for as long as the process lives: an outage of the cluster, or a fault in one of them, ends none
 * for good and no other with it.
 */
export const startWorkers = async ({
  connection,
  namespace,
  dataConverter,
  stations,
  log,
}: {
  connection: NativeConnection;
  namespace: string;
  dataConverter: DataConverter;
  stations: readonly Station[];
  log: Logger;
}): Promise<WorkerSet> => {
  const create = ({ queue, options }: Station): Promise<Worker> =>
    Worker.create({ ...options, connection, namespace, taskQueue: queue, dataConverter });

  const start = (station: Station, first: Worker): Running => {
    const { queue } = station;
    const stopped = new AbortController();
    const isStopping = (): boolean => stopped.signal.aborted;
    let worker = first;
    const keepRunning = async (): Promise<void> => {
      for (let failures = 0; ; failures++) {
        const began = performance.now();
        try {
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
    const running = keepRunning();
    return {
      state: () => worker.getState(),
      stop: async () => {
        stopped.abort();
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await running;
        await station.close?.();
      },
    };
  };

  const workers = await Promise.all(stations.map(create));
  const running = new Map(
    stations.map((station, at) => [station.queue, start(station, workers[at]!)]),
  );
  let isOver = false;
  return {
    queues: stations.map(({ queue }) => queue),
    ended: () =>
      [...running].filter(([, { state }]) => state() !== 'RUNNING').map(([queue]) => queue),
    add: async (station) => {
      const added = start(station, await create(station));
      if (isOver) await added.stop();
      else running.set(station.queue, added);
    },
    remove: async (queue) => {
      const removed = running.get(queue);
      running.delete(queue);
      await removed?.stop();
    },
    shutdown: async () => {
      isOver = true;
      await Promise.all([...running.values()].map(({ stop }) => stop()));
    },
  };
};
