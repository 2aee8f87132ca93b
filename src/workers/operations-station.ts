import { Context } from '@temporalio/activity';
import { createRedrivePage, type RedriveDeps } from '../activities/redrive-page.ts';
import { operationsQueue } from '../delivery.ts';
import type { Station } from './worker-set.ts';

/** As many redrives, each of a destination of its own, are under way at a time in one process. */
const slots = 10;
/** Heartbeats are let through so often, so that a kill repeats few signals. */
const heartbeatThrottleMs = 500;

/** The worker of what operators have done in bulk: of few activities, which mostly wait. */
export const operationsStation = (deps: Omit<RedriveDeps, 'context'>): Station => ({
  queue: operationsQueue,
  options: {
    activities: createRedrivePage({ ...deps, context: () => Context.current() }),
    maxConcurrentActivityTaskExecutions: slots,
    maxHeartbeatThrottleInterval: heartbeatThrottleMs,
    defaultHeartbeatThrottleInterval: heartbeatThrottleMs,
    shutdownGraceTime: 0, // a page hands in what it has done
    shutdownForceTime: 5_000,
  },
});
