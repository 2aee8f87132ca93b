import { setMaxListeners } from 'node:events';
import { ApplicationFailure, type Context } from '@temporalio/activity';
import {
  emptyReceipt,
  type DeliverInput,
  type DeliveryActivities,
  type Progress,
  type Receipt,
  type RetryPolicy,
  type Unsettled,
} from '../delivery.ts';
import { endingMs, type Destination } from '../destinations/destination.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { createConnections, type Entry } from './connections.ts';
import { createPace } from './gates.ts';
import type { Http } from './http.ts';
import { heldPart, openLedger, type Ledger } from './ledger.ts';
import { createReturnTimes } from './return-times.ts';
import { createWaitingRoom, type WaitingDelivery } from './waiting-room.ts';
import { mapPart, sendPart, type Sending } from './send.ts';

/** Most open requests of one connection in one process, whatever the number of its deliveries. */
const requestsAtOnce = 64;
/** Checkpoints are made on a timer too: between requests a partner may be silent for long. */
const heartbeatEveryMs = 500;
/** After a request a checkpoint is made unless one was made within this time. */
const checkpointApartMs = 100;
/** How soon a delivery that found no free slot comes back, about. */
const crowdedDelayMs = 2_000;
/** For so long returns may be spread, whatever the policy's longest delay. */
const shortestHorizonMs = 60_000;
/** Most deliveries a second that come back to a connection that fails, and to a destination's. */
/** Once it works again, deliveries that wait for it are called back, so far apart at least. */
const shortestCallGapMs = 60; // longer than a call takes to come back as a delivery
const longestCallGapMs = 1_000;
/** Deliveries that are under way when another is called back, at most. */
const mostCalled = 2;
const returnsPerSecond = { perConnection: 4, perDestination: 20 };

/** The workflow run that an activity belongs to. */
export interface BatchRun {
  workflowId: string;
  runId: string;
}

export interface DeliverDeps {
  destination: Destination;
  /** Reads the events of the activity's own batch. */
  readBatch: (run: BatchRun) => Promise<readonly BatchedEvent[]>;
  http: Http;
  /** Has Temporal hand a waiting delivery out now. */
  callBack: (delivery: WaitingDelivery) => Promise<void>;
  /** Aborted once the process gives up its work. */
  closed: AbortSignal;
  /**
   * Waits for a batch's turn to be worked on, where it is so large that others would wait for it.
   * @returns to be called once it is mapped, as often as one likes
   */
  turn: (bytes: number, over: AbortSignal) => Promise<() => void>;
  /** Most continuations that may run at a time, so that first passes always find a slot. */
  continuationSlots: number;
  /** Told how long each first pass waited in the queue, in ms. */
  onFirstPass: (waitedMs: number) => void;
  /** How far behind the cluster is, in ms: what can wait makes way for what cannot. */
  lagMs: () => number;
  log: Logger;
  metrics: Metrics['deliveries'];
  now: () => number;
  random: () => number;
  /** The running activity's context. */
  context: () => Context;
}

/** A retryable failure that names its own delay; Temporal carries the checkpoint to the next attempt. */
const again = (message: string, delayMs: number, type: string): ApplicationFailure =>
  ApplicationFailure.create({ message, type, nextRetryDelay: Math.max(1, Math.round(delayMs)) });

/** Ends a cancelled attempt: for good, or, where only its worker ends, to go on with another. */
const throwIfCancelled = ({ aborted, reason }: AbortSignal): void => {
  if (!aborted) return;
  if ((reason as Error).message !== 'WORKER_SHUTDOWN') throw reason;
  throw again('The worker is shutting down', 0, 'Drained');
};

const deliveryOf = ({ info }: Context): WaitingDelivery => ({
  ...info.workflowExecution!,
  activityId: info.activityId,
});

const waitingWords = ({ unsettled }: Progress): string => {
  const waiting = unsettled.filter(({ parked }) => parked === undefined);
  const [first] = waiting;
  const more = waiting.length > 1 ? ` (and ${waiting.length - 1} more connections)` : '';
  return `${first!.connection}: ${first!.reason ?? 'not all could be sent in one attempt'}${more}`;
};

/** The delivery activities of one destination: state they share is this process's knowledge of it. */
export const createDelivery = (deps: DeliverDeps): DeliveryActivities => {
  const { destination, readBatch, http, continuationSlots, log, metrics, now, random } = deps;
  const connections = createConnections(requestsAtOnce, now);
  const pace = createPace(destination.ratePerSecond, now);
  const returnTimes = createReturnTimes(returnsPerSecond, now, random);
  const { name } = destination;
  const crowdedDelay = (): number => crowdedDelayMs * (0.5 + random());
  let continuations = 0;
  const waitingRoom = createWaitingRoom({
    call: deps.callBack,
    gapMs: () => Math.min(Math.max(shortestCallGapMs, 2 * deps.lagMs()), longestCallGapMs),
    works: (connection) => connections.failure(connection) === undefined,
    hasRoom: () => continuations < mostCalled,
    closed: deps.closed,
    now,
  });

  const count = ({ receipt, unsettled }: Progress, before: Receipt | undefined): void => {
    for (const outcome of ['delivered', 'rejected', 'filtered'] as const) {
      const more = receipt[outcome] - (before?.[outcome] ?? 0);
      if (more > 0) metrics.events.inc({ destination: name, outcome }, more);
    }
    const isParked = unsettled.some(({ parked }) => parked !== undefined);
    const result = isParked ? 'parked' : unsettled.length > 0 ? 'unsettled' : 'settled';
    metrics.attempts.inc({ destination: name, result });
  };

  /** What is held without a look at the events: all of it is for connections that nobody may try now. */
  const heldWhole = (
    from: { receipt?: Receipt | undefined; unsettled: Unsettled[] } | undefined,
    retry: RetryPolicy,
  ): Progress | undefined => {
    if (from === undefined) return undefined;
    const isHeld = ({ connection, parked, notBefore = 0 }: Unsettled): boolean =>
      parked !== undefined || notBefore > now() || !connections.mayEnter(connection, false);
    if (!from.unsettled.every(isHeld)) return undefined;
    return {
      receipt: from.receipt ?? emptyReceipt(),
      unsettled: from.unsettled.map((part) => {
        const reason = connections.failure(part.connection);
        return part.parked !== undefined || reason === undefined
          ? part
          : heldPart(part, reason, now(), retry, true);
      }),
    };
  };

  const attempt = async (
    input: DeliverInput,
    context: Context,
    isFirstPass: boolean,
  ): Promise<Progress> => {
    const { info, cancellationSignal } = context;
    const checkpoint = info.heartbeatDetails as Progress | undefined;
    const from = checkpoint ?? (input.unsettled && { unsettled: input.unsettled });
    const held = heldWhole(from, input.retry);
    if (held !== undefined) return held;
    const began = now();
    const deadline = began + info.startToCloseTimeoutMs - destination.timeoutMs - endingMs;
    const over = AbortSignal.any([cancellationSignal, AbortSignal.timeout(deadline - began)]);
    setMaxListeners(0, over);

    let ledger: Ledger | undefined;
    let checkpointed = began;
    const keep = (): void => {
      checkpointed = now();
      context.heartbeat(ledger?.progress('checkpoint') ?? checkpoint);
    };
    const timer = setInterval(keep, heartbeatEveryMs);
    const endTurn = await deps.turn(input.bytes ?? 0, over);
    const entries: Entry[] = [];
    try {
      if (over.aborted) {
        throwIfCancelled(cancellationSignal);
        throw again('It found no turn in its time', crowdedDelay(), 'Crowded');
      }
      const batch = await readBatch(info.workflowExecution!);
      ledger = openLedger({ destination, batch, from, retry: input.retry, random });
      const sending: Sending = {
        destination,
        batch,
        http,
        connections,
        pace,
        now,
        over,
        deadline,
        eventBytes: (input.bytes ?? 0) / batch.length,
        onRequest: (status, seconds) =>
          metrics.requestSeconds.observe({ destination: name, status }, seconds),
        onHealth: (connection, failure) => {
          if (failure === undefined) {
            log.info({ connection }, 'a connection works again');
            returnTimes.forget(connection);
            waitingRoom.callBack(connection);
          } else
            log.warn({ connection, failure }, 'a connection fails; its events are tried again');
        },
        afterRequest: () => {
          if (now() - checkpointed >= checkpointApartMs) keep();
        },
      };
      const jobs: (() => Promise<void>)[] = [];
      for (const part of ledger.parts.filter(({ notBefore }) => notBefore <= now())) {
        const entry = connections.enter(part.connection.name, isFirstPass);
        if (entry === undefined) {
          part.hold(connections.failure(part.connection.name)!, now());
        } else {
          entries.push(entry);
          const items = await mapPart(part, sending);
          jobs.push(() => sendPart(part, items, sending, entry.isTry).finally(entry.leave));
        }
      }
      endTurn();
      await Promise.all(jobs.map((send) => send()));
      return ledger.progress('end');
    } finally {
      endTurn();
      for (const { leave } of entries) leave();
      clearInterval(timer);
    }
  };

  const countAttempt = (progress: Progress, { info }: Context): void => {
    count(progress, (info.heartbeatDetails as Progress | undefined)?.receipt);
    for (const { connection, parked } of progress.unsettled) {
      if (parked !== undefined) {
        log.warn({ batch: info.workflowExecution?.workflowId, connection, parked }, 'parked');
      }
    }
  };

  /** When a delivery comes back for what is due first: later where many others do. */
  const returnAt = (waiting: readonly Unsettled[], dueAt: number, retry: RetryPolicy): number => {
    const first = waiting.filter(({ notBefore = 0 }) => notBefore <= dueAt);
    const failing = first.find(({ reason }) => reason !== undefined);
    if (failing === undefined || first.some(({ reason }) => reason === undefined)) {
      return Math.max(dueAt, now() + pace.aheadMs());
    }
    const earliest = Math.max(dueAt, now() + 1);
    const horizonMs = Math.max(retry.maxDelayMs, shortestHorizonMs);
    return returnTimes.take(failing.connection, earliest, earliest + horizonMs);
  };

  /**
   * Ends an attempt: answers, or keeps its progress for the next one and fails, to be tried again. A
   * first pass that has left but one connection unsettled is that one's continuation from now on.
   */
  const end = (progress: Progress, input: DeliverInput, context: Context): Progress => {
    const { aborted } = context.cancellationSignal;
    const waiting = progress.unsettled.filter(({ parked }) => parked === undefined);
    const isHandedOver = input.unsettled === undefined && progress.unsettled.length > 1;
    if (waiting.length === 0 || (isHandedOver && !aborted)) return progress;
    if (aborted) {
      context.heartbeat(progress);
      throwIfCancelled(context.cancellationSignal);
    }
    const dueAt = Math.min(...waiting.map(({ notBefore = 0 }) => notBefore));
    // Temporal does the waiting from here on: whoever hurries the activity hurries these.
    const unsettled = progress.unsettled.map(({ notBefore = 0, ...part }) =>
      notBefore > dueAt ? { ...part, notBefore } : part,
    );
    context.heartbeat({ ...progress, unsettled });
    const at = returnAt(waiting, dueAt, input.retry);
    const connectionsOf = waiting.map(({ connection }) => connection);
    waitingRoom.enter(connectionsOf, deliveryOf(context), at);
    throw again(waitingWords(progress), at - now(), 'Unsettled');
  };

  return {
    deliver: async (input) => {
      const context = deps.context();
      waitingRoom.leave(deliveryOf(context));
      const isFirstPass =
        input.unsettled === undefined && context.info.heartbeatDetails === undefined;
      if (isFirstPass) {
        const waitedMs = Math.max(0, now() - context.info.currentAttemptScheduledTimestampMs);
        metrics.queueSeconds.observe({ destination: name }, waitedMs / 1_000);
        deps.onFirstPass(waitedMs);
        const progress = await attempt(input, context, true);
        countAttempt(progress, context);
        return end(progress, input, context);
      }
      if (continuations >= continuationSlots) {
        throw again('All slots for continuations are taken', crowdedDelay(), 'Crowded');
      }
      continuations += 1;
      try {
        const progress = await attempt(input, context, false);
        countAttempt(progress, context);
        return end(progress, input, context);
      } finally {
        continuations -= 1;
      }
    },
  };
};
