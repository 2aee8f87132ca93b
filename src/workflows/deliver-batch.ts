import {
  ActivityFailure,
  condition,
  isCancellation,
  proxyActivities,
  setHandler,
  defineSignal,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import {
  addReceipt,
  boundedNames,
  destinationQueue,
  emptyReceipt,
  redriveSignal,
  type BatchReceipt,
  type DeliverInput,
  type DeliveryActivities,
  type Plan,
  type PlannedDelivery,
  type Progress,
  type Receipt,
  type Unsettled,
} from '../delivery.ts';

/** Names of destinations or connections to send again; none: all that are parked. */
const redrive = defineSignal<[names?: unknown]>(redriveSignal);

const stuckDestinations = { name: 'StuckDestinations', type: 'KEYWORD_LIST' } as const;
const rejectedEvents = { name: 'RejectedEvents', type: 'INT' } as const;

/**
 * What a redrive names. Anybody can send a signal, with anything in it, and a handler that throws
 * wedges its workflow for good: what is neither absent nor names means nobody, not everybody.
 */
const namesIn = (given: unknown): 'all' | string[] => {
  if (given === undefined || given === null) return 'all';
  const names: unknown[] = Array.isArray(given) ? given : [given];
  if (names.length === 0) return 'all';
  return names.filter((name) => typeof name === 'string');
};

/** Fresh batches go before what is tried again; the server's default lies between the two. */
const firstPassPriority = 2;
const continuationPriority = 4;

/** Beyond so many pending continuations in a batch one of them carries several connections. */
const mostContinuations = 200;

/** Parts of a delivery that wait, with their events, for an operator's word. */
interface Parked {
  destination: string;
  connections: string[];
  released: boolean;
}

const activitiesOf = (
  { destination, retry, attemptMs, heartbeatMs }: PlannedDelivery,
  priorityKey: number,
  summary?: string,
) =>
  proxyActivities<DeliveryActivities>({
    taskQueue: destinationQueue(destination),
    startToCloseTimeout: attemptMs,
    heartbeatTimeout: heartbeatMs,
    // An attempt that ends orderly names its own delay; this is for those that do not.
    retry: {
      initialInterval: retry.firstDelayMs,
      backoffCoefficient: retry.factor,
      maximumInterval: retry.maxDelayMs,
    },
    priority: { priorityKey },
    ...(summary !== undefined && { summary }),
  });

/** One continuation per connection, as far as `most` reaches; the last one carries the rest. */
const grouped = (unsettled: Unsettled[], most: number): Unsettled[][] =>
  unsettled.length <= most
    ? unsettled.map((part) => [part])
    : [...unsettled.slice(0, most - 1).map((part) => [part]), unsettled.slice(most - 1)];

/** What an operator's word gives a parked part: a fresh start under its retry policy. */
const afresh = ({ connection, events }: Unsettled): Unsettled => ({ connection, events });

/**
 * Carries one batch: a delivery to each planned destination, none waiting for another, and ends
 * with their receipts once every event is settled. The batch's events are its second argument,
 * which only activities read.
 */
export async function deliverBatch(plan: Plan): Promise<BatchReceipt> {
  const size = plan.bytes === undefined ? {} : { bytes: plan.bytes };
  const parked = new Set<Parked>();
  let stuckChanged = false;
  let unfinished = plan.deliveries.length;

  setHandler(redrive, (given) => {
    const names = namesIn(given);
    for (const part of parked) {
      part.released ||=
        names === 'all' ||
        names.includes(part.destination) ||
        part.connections.some((connection) => names.includes(connection));
    }
  });

  const untilRedriven = async (destination: string, connections: string[]): Promise<void> => {
    const part: Parked = { destination, connections, released: false };
    parked.add(part);
    stuckChanged = true;
    await condition(() => part.released);
    parked.delete(part);
    stuckChanged = true;
  };

  /** Runs one delivery activity; where it fails for good, parks and runs it again when redriven. */
  const run = async (activities: DeliveryActivities, input: DeliverInput): Promise<Progress> => {
    for (;;) {
      try {
        return await activities.deliver(input);
      } catch (error) {
        if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
        await untilRedriven(
          input.destination,
          (input.unsettled ?? []).map(({ connection }) => connection),
        );
      }
    }
  };

  const settle = async (
    delivery: PlannedDelivery,
    unsettled: Unsettled[],
    receipt: Receipt,
  ): Promise<void> => {
    const { destination, retry } = delivery;
    const summary = unsettled
      .map(({ connection }) => connection)
      .slice(0, 3)
      .join(', ');
    const activities = activitiesOf(delivery, continuationPriority, summary);
    let rest = unsettled;
    while (rest.length > 0) {
      const due = rest.filter((part) => part.parked === undefined);
      rest = rest.filter((part) => part.parked !== undefined);
      if (due.length > 0) {
        const progress = await run(activities, { destination, retry, ...size, unsettled: due });
        addReceipt(receipt, progress.receipt);
        rest.push(...progress.unsettled);
      } else {
        await untilRedriven(
          destination,
          rest.map(({ connection }) => connection),
        );
        rest = rest.map(afresh);
      }
    }
  };

  const deliverTo = async (delivery: PlannedDelivery): Promise<[string, Receipt]> => {
    const { destination, retry } = delivery;
    const most = Math.max(1, Math.floor(mostContinuations / plan.deliveries.length));
    try {
      const first = await run(activitiesOf(delivery, firstPassPriority), {
        destination,
        retry,
        ...size,
      });
      const receipt = emptyReceipt();
      addReceipt(receipt, first.receipt);
      await allOrFirstFailure(
        grouped(first.unsettled, most).map((parts) => settle(delivery, parts, receipt)),
      );
      return [destination, receipt];
    } finally {
      unfinished -= 1;
    }
  };

  /** Keeps `StuckDestinations` current: one change of it for all that happens at once. */
  const keepStuckCurrent = async (): Promise<void> => {
    for (;;) {
      await condition(() => stuckChanged || unfinished === 0);
      if (!stuckChanged) return;
      stuckChanged = false;
      const parts = [...parked];
      const names = new Set([
        ...parts.map(({ destination }) => destination),
        ...parts.flatMap(({ connections }) => connections),
      ]);
      upsertSearchAttributes([{ key: stuckDestinations, value: boundedNames(names) }]);
    }
  };

  const [receipts] = await Promise.all([
    allOrFirstFailure(plan.deliveries.map(deliverTo)),
    keepStuckCurrent(),
  ]);
  const rejected = receipts.reduce((sum, [, receipt]) => sum + receipt.rejected, 0);
  if (rejected > 0) upsertSearchAttributes([{ key: rejectedEvents, value: rejected }]);
  return { events: plan.events, deliveries: Object.fromEntries(receipts) };
}

/** Waits for all, whatever becomes of each; then fails as the first that failed, if any did. */
const allOrFirstFailure = async <T>(promises: Promise<T>[]): Promise<T[]> => {
  await Promise.allSettled(promises);
  return Promise.all(promises);
};
