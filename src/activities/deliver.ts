import type { Context } from '@temporalio/activity';
import type { DeliverInput, DeliveryActivities, Progress } from '../delivery.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { createAttempt, type AttemptDeps } from './attempt.ts';
import { createConnections, type Health } from './connections.ts';
import { createEnding, deliveryOf } from './ending.ts';
import { createPace } from './pace.ts';
import { createWaitingRoom, type WaitingDelivery } from './waiting-room.ts';

/** Most open requests of one connection in one process, whatever the number of its deliveries. */
const requestsAtOnce = 64;
/** Once a connection works again, deliveries that wait for it are called back, so far apart at least. */
const shortestCallGapMs = 60; // longer than a call takes to come back as a delivery
const longestCallGapMs = 1_000;
/** A connection that nobody has tried for so long is tried out of turn, if somebody waits for it. */
const overdueMs = 10_000;

export interface DeliverDeps extends Pick<
  AttemptDeps,
  'destination' | 'readBatch' | 'http' | 'turns' | 'onLargeTurn' | 'now' | 'random'
> {
  /** Has Temporal hand a waiting delivery out now. */
  callBack: (delivery: WaitingDelivery) => Promise<void>;
  /** Aborted once the process gives up its work. */
  closed: AbortSignal;
  /** Most deliveries that may run at a time. */
  slots: number;
  /** Told how long each first pass waited in the queue, in ms, and whether it got the last slot. */
  onFirstPass: (waitedMs: number, isFull: boolean) => void;
  /** How far behind the cluster is, in ms: what can wait makes way for what cannot. */
  lagMs: () => number;
  log: Logger;
  metrics: Metrics['deliveries'];
  /** The running activity's context. */
  context: () => Context;
}

/** The delivery activities of one destination: state they share is this process's knowledge of it. */
export const createDelivery = (deps: DeliverDeps): DeliveryActivities => {
  const { destination, slots, log, metrics, now, random } = deps;
  const { name } = destination;
  /** Most continuations that may run at a time, so that first passes always find a slot. */
  const continuationSlots = slots / 2;
  const pace = createPace(destination.ratePerSecond);
  const failing: Record<Health['scope'], Set<string>> = {
    connection: new Set(),
    origin: new Set(),
    destination: new Set(),
  };
  let running = 0;
  let continuations = 0;

  const connections = createConnections({
    requestsAtOnce,
    throttles: destination.type.throttles ?? 'connection',
    onHealth: (health) => onHealth(health),
  });
  const waitingRoom = createWaitingRoom({
    call: deps.callBack,
    gapMs: () => Math.min(Math.max(shortestCallGapMs, 2 * deps.lagMs()), longestCallGapMs),
    works: (connection) => connections.failure(connection) === undefined,
    isOverdue: (connection) => connections.isOverdue(connection, overdueMs),
    hasRoom: () => continuations < continuationSlots,
    closed: deps.closed,
  });
  const ending = createEnding({ pace, waitingRoom, now, random });
  const attempt = createAttempt({
    ...deps,
    connections,
    pace,
    ending,
    onRequest: (status, seconds) =>
      metrics.requestSeconds.observe({ destination: name, status }, seconds),
  });

  const onHealth = ({ scope, name: what, failure, connections: concerned }: Health): void => {
    const named = scope === 'destination' ? {} : { [scope]: what };
    const wasFailing = failing[scope].delete(what);
    if (failure !== undefined) failing[scope].add(what);
    metrics.failing.set({ destination: name, scope }, failing[scope].size);
    if (failure !== undefined) {
      log.warn(
        { ...named, code: failure.code },
        `a ${scope} fails; its events are tried again, one delivery at a time`,
      );
      return;
    }
    if (wasFailing) log.info(named, `a ${scope} works again`);
    for (const connection of concerned) {
      ending.forget(connection);
      waitingRoom.callBack(connection);
    }
  };

  /** Counts what an attempt has settled since the last checkpoint that it began with. */
  const count = ({ receipt, unsettled }: Progress, { info }: Context): void => {
    const before = (info.heartbeatDetails as Progress | undefined)?.receipt;
    for (const outcome of ['delivered', 'rejected', 'filtered'] as const) {
      const more = receipt[outcome] - (before?.[outcome] ?? 0);
      if (more > 0) metrics.events.inc({ destination: name, outcome }, more);
    }
    const parked = unsettled.filter((part) => part.parked !== undefined);
    for (const { connection, parked: why } of parked) {
      log.warn({ batch: info.workflowExecution?.workflowId, connection, parked: why }, 'parked');
    }
    const result = parked.length > 0 ? 'parked' : unsettled.length > 0 ? 'unsettled' : 'settled';
    metrics.attempts.inc({ destination: name, result });
  };

  const run = async (
    input: DeliverInput,
    context: Context,
    isFirstPass: boolean,
  ): Promise<Progress> => {
    const progress = await attempt(input, context, isFirstPass);
    count(progress, context);
    return ending.end(progress, input, context);
  };

  const deliver = async (input: DeliverInput, context: Context): Promise<Progress> => {
    if (input.unsettled === undefined && context.info.heartbeatDetails === undefined) {
      const waitedMs = Math.max(0, now() - context.info.currentAttemptScheduledTimestampMs);
      metrics.queueSeconds.observe({ destination: name }, waitedMs / 1_000);
      deps.onFirstPass(waitedMs, running >= slots);
      return run(input, context, true);
    }
    if (continuations >= continuationSlots) {
      throw ending.crowded('All slots for continuations are taken');
    }
    continuations += 1;
    try {
      return await run(input, context, false);
    } finally {
      waitingRoom.done(deliveryOf(context));
      continuations -= 1;
    }
  };

  return {
    deliver: async (input) => {
      const context = deps.context();
      waitingRoom.leave(deliveryOf(context));
      running += 1;
      try {
        return await deliver(input, context);
      } finally {
        running -= 1;
      }
    },
  };
};
