import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { AttemptDeps } from '../activities/attempt.ts';
import { createRetired } from '../activities/retired.ts';
import { destinationQueue } from '../delivery.ts';
import type { Logger } from '../log.ts';
import type { Poller } from '../temporal/pollers.ts';
import type { WorkerSet } from './worker-set.ts';

/** For so long it is believed that nobody else works on a queue. */
const believedMs = 2_000;

/** Workers that park are known by it, and so do not take each other for the destination's own. */
const identity = `retired-${process.pid}`;

export interface RetiredDeps {
  /** The names that the configuration has. */
  configured: ReadonlySet<string>;
  /** The names that open batches have. */
  openDestinations: () => Promise<ReadonlySet<string>>;
  /** Who works on a queue; Temporal names those for minutes who have ended. */
  pollers: (queue: string) => Promise<Poller[]>;
  workers: Pick<WorkerSet, 'add' | 'remove'>;
  readBatch: AttemptDeps['readBatch'];
  log: Logger;
  now: () => number;
  /** When it is looked for the first time: workers that are alive must have asked for tasks by then. */
  firstLookMs: number;
  /** And how often from then on. */
  everyMs?: number;
}

/**
 * Sees to deliveries to destinations that are not configured any more: else they would wait for ever
 * on queues that nobody works on. While another process, of a newer or older configuration, has the
 * destination, they are left to it.
 * @returns ends it
 */
export const watchRetired = ({
  configured,
  openDestinations,
  pollers,
  workers,
  readBatch,
  log,
  now,
  firstLookMs,
  everyMs = 60_000,
}: RetiredDeps): (() => void) => {
  const startedAt = now();
  const parking = new Set<string>();

  /** Whether anybody but us has asked for the queue's tasks since we started. */
  const isServed = async (queue: string): Promise<boolean> =>
    (await pollers(queue)).some(
      (poller) => !poller.identity.startsWith('retired-') && poller.askedAt > startedAt,
    );
  const believed = (queue: string): (() => Promise<boolean>) => {
    let last = { at: -Infinity, isServed: false };
    return async () => {
      const at = performance.now();
      if (at - last.at > believedMs) last = { at, isServed: await isServed(queue) };
      return last.isServed;
    };
  };

  const look = async (): Promise<void> => {
    const open = await openDestinations();
    for (const name of open) {
      const queue = destinationQueue(name);
      if (configured.has(name) || parking.has(name) || (await isServed(queue))) continue;
      log.warn(
        { destination: name },
        'a destination that open batches name is not configured: its deliveries are parked',
      );
      const activities = createRetired({
        readBatch,
        isServed: believed(queue),
        log,
        context: () => Context.current(),
      });
      await workers.add({ queue, options: { activities, identity } });
      parking.add(name);
    }
    for (const name of parking) {
      const queue = destinationQueue(name);
      if (open.has(name) && !(await isServed(queue))) continue;
      parking.delete(name);
      log.info({ destination: name }, 'no open batch names it, or another process has it');
      await workers.remove(queue);
    }
  };

  const ended = new AbortController();
  const lookOn = async (): Promise<void> => {
    const wait = (ms: number) => sleep(ms, undefined, { signal: ended.signal, ref: false });
    for (let ms = firstLookMs; ;) {
      await wait(ms);
      const began = performance.now();
      try {
        await look();
      } catch (error) {
        log.warn({ err: error }, 'could not look for destinations that were removed');
      }
      // Behind a large backlog a look is long: it takes a small part of the time nevertheless.
      ms = Math.max(everyMs, 30 * (performance.now() - began));
    }
  };
  lookOn().catch(() => undefined); // it was ended
  return () => ended.abort();
};
