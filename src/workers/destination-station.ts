import { Context } from '@temporalio/activity';
import { createDelivery, type DeliverDeps } from '../activities/deliver.ts';
import { createHttp } from '../activities/http.ts';
import { destinationQueue } from '../delivery.ts';
import { endingMs, type Destination } from '../destinations/destination.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Lag } from './lag.ts';
import type { Station } from './worker-set.ts';

/** Deliveries of one destination that run at a time in one process. */
const slots = 40;
/** Heartbeats are let through so often, so that a kill loses at most about as much of checkpoints. */
const heartbeatThrottleMs = 500;

/** One destination's worker: activities only, with connections to partners of its own. */
export const destinationStation = ({
  destination,
  readBatch,
  callBack,
  turns,
  allowPrivate,
  lag,
  metrics,
  log,
}: {
  destination: Destination;
  readBatch: DeliverDeps['readBatch'];
  callBack: DeliverDeps['callBack'];
  turns: DeliverDeps['turns'];
  allowPrivate: boolean;
  lag: Lag;
  metrics: Metrics['deliveries'];
  log: Logger;
}): Station => {
  const http = createHttp({ endpoint: destination.endpoint, allowPrivate });
  const closed = new AbortController();
  return {
    queue: destinationQueue(destination.name),
    close: () => {
      closed.abort();
      return http.close();
    },
    options: {
      activities: createDelivery({
        destination,
        readBatch,
        http,
        callBack,
        turns,
        onLargeTurn: lag.observeHeavy,
        closed: closed.signal,
        slots,
        lagMs: lag.ms,
        onFirstPass: (waitedMs, isFull) => lag.observe(destination.name, waitedMs, isFull),
        metrics,
        log: log.child({ destination: destination.name }),
        now: Date.now,
        random: Math.random,
        context: () => Context.current(),
      }),
      maxConcurrentActivityTaskExecutions: slots,
      maxHeartbeatThrottleInterval: heartbeatThrottleMs,
      defaultHeartbeatThrottleInterval: heartbeatThrottleMs,
      // Deliveries hear of the shutdown at once: they stop sending and hand over what is left.
      shutdownGraceTime: 0,
      shutdownForceTime: destination.timeoutMs + endingMs,
    },
  };
};
