import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  defineQuery,
  isCancellation,
  proxyActivities,
  type ActivityOptions,
  setCurrentDetails,
  setHandler,
  defineSignal,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import {
  abandonSignal,
  addReceipt,
  boundedNames,
  countRanges,
  deliveriesQuery,
  destinationQueue,
  emptyReceipt,
  notDelivered,
  redriveSignal,
  type BatchReceipt,
  type BatchState,
  type DeliveryActivities,
  type Plan,
  type PlannedDelivery,
  type Receipt,
  type Unsettled,
  type UnsettledState,
} from '../delivery.ts';
import { createParking, type Ended, type Parked } from './parking.ts';
import { abandonment, expiredWords, partsSummary } from './words.ts';

const redrive = defineSignal<[choice?: unknown]>(redriveSignal);
const abandon = defineSignal<[choice?: unknown]>(abandonSignal);
const deliveries = defineQuery<BatchState>(deliveriesQuery);

const stuckDestinations = { name: 'StuckDestinations', type: 'KEYWORD_LIST' } as const;
const rejectedEvents = { name: 'RejectedEvents', type: 'INT' } as const;

/** Fresh batches go before what is tried again; the server's default lies between the two. */
const firstPassPriority = 2;
const continuationPriority = 4;

/** Beyond so many pending continuations in a batch one of them carries several connections. */
const mostContinuations = 200;

const activitiesOf = (
  { destination, retry, attemptMs, heartbeatMs }: PlannedDelivery,
  priority: NonNullable<ActivityOptions['priority']>,
  summary: string,
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
    priority,
    summary,
  });

/** One continuation per connection, as far as `most` reaches; the last one carries the rest. */
const grouped = (unsettled: Unsettled[], most: number): Unsettled[][] =>
  unsettled.length <= most
    ? unsettled.map((part) => [part])
    : [...unsettled.slice(0, most - 1).map((part) => [part]), unsettled.slice(most - 1)];

/** What an operator's word gives a parked part: a fresh start under its retry policy. */
const afresh = ({ connection, events, past }: Unsettled): Unsettled => ({
  connection,
  events,
  ...(past !== undefined && { past }),
});

/** A batch at one destination. */
interface Branch {
  planned: PlannedDelivery;
  receipt: Receipt;
  /** What activities are at, or wait to be at again. */
  underWay: Set<readonly Unsettled[]>;
  /** What was kept for too long. */
  expired: Unsettled[];
}

/**
 * Carries one batch: a delivery to each planned destination, none waiting for another, and ends
 * with their receipts once every event is settled. The batch's events are its second argument,
 * which only activities read.
 * @throws ApplicationFailure of type `NotDelivered` once all else is settled, where parked events were
 * kept for too long; its details are the receipt and what was not delivered
 */
export async function deliverBatch(plan: Plan): Promise<BatchReceipt> {
  const size = plan.bytes === undefined ? {} : { bytes: plan.bytes };
  const fair = plan.fairnessKey === undefined ? {} : { fairnessKey: plan.fairnessKey };
  const parking = createParking();
  const branches = plan.deliveries.map((planned): Branch => ({
    planned,
    receipt: emptyReceipt(),
    underWay: new Set(),
    expired: [],
  }));
  const most = Math.max(1, Math.floor(mostContinuations / Math.max(1, branches.length)));
  let running = 0;
  const failures: unknown[] = [];
  setHandler(redrive, parking.redrive, {
    description:
      'Sends what is parked again: all, or by ["name"] or {"names": […], "reasons": […]}.',
  });
  setHandler(abandon, parking.abandon, {
    description: 'Gives up what is parked: {"names": […], "reason": "why"}.',
  });
  setHandler(deliveries, () => stateOf(branches, parking.parked()), {
    description: 'How far the batch has come at each destination.',
  });

  /** Runs one delivery activity; what it fails for good with is parked. */
  const run = async (
    { planned, receipt, underWay }: Branch,
    unsettled: Unsettled[] | undefined,
  ): Promise<Unsettled[]> => {
    const { destination, retry } = planned;
    const parts = unsettled ?? [{ connection: destination, events: [0, plan.events] }];
    const activities =
      unsettled === undefined
        ? activitiesOf(planned, { ...fair, priorityKey: firstPassPriority }, destination)
        : activitiesOf(
            planned,
            { ...fair, priorityKey: continuationPriority },
            partsSummary(parts),
          );
    underWay.add(parts);
    try {
      const progress = await activities.deliver({
        destination,
        retry,
        ...size,
        ...(unsettled !== undefined && { unsettled }),
      });
      addReceipt(receipt, progress.receipt);
      return progress.unsettled;
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      const reason = error.cause?.message ?? error.message;
      return parts.map((part) => ({ ...part, reason, parked: 'failed' }));
    } finally {
      underWay.delete(parts);
    }
  };

  /** Sees to it that events get settled or parked; `unsettled` absent: all of the batch. */
  const deliver = (branch: Branch, unsettled?: Unsettled[]): void => {
    running += 1;
    run(branch, unsettled)
      .then((left) => settle(branch, left))
      .catch((error: unknown) => failures.push(error))
      .finally(() => (running -= 1));
  };

  const settle = (branch: Branch, parts: Unsettled[]): void => {
    const { destination, keepMs } = branch.planned;
    for (const part of parts) {
      if (part.parked !== undefined) parking.park(destination, part, keepMs);
    }
    const due = parts.filter(({ parked }) => parked === undefined);
    const room = Math.max(1, most - branch.underWay.size);
    for (const group of due.length === 0 ? [] : grouped(due, room)) deliver(branch, group);
  };

  /** Does as was said of parts that were parked: what is redriven together shares the room there is. */
  const obey = (ended: readonly Ended[]): void => {
    for (const branch of branches) {
      const { destination } = branch.planned;
      const own = ended.filter((part) => part.destination === destination);
      for (const { part, word } of own) {
        if (word.kind === 'expired') branch.expired.push(part);
        if (word.kind === 'abandoned') {
          const given = abandonment(part, word.reason, Date.now());
          addReceipt(branch.receipt, { ...emptyReceipt(), abandoned: [given] });
        }
      }
      settle(
        branch,
        own.filter(({ word }) => word.kind === 'redriven').map(({ part }) => afresh(part)),
      );
    }
  };

  const isOver = (): boolean => running === 0 && parking.parked().length === 0;
  const told = { expired: false };
  /** Makes what is stuck known to searches and to the Web UI; in the end, what was given up, too. */
  const tellStuck = (): void => {
    told.expired = isOver();
    const expired = branches.flatMap(({ planned: { destination }, expired }) =>
      expired.map((part) => ({ destination, part })),
    );
    const parts = told.expired ? expired : parking.parked();
    const names = new Set([
      ...parts.map(({ destination }) => destination),
      ...parts.map(({ part }) => part.connection),
    ]);
    upsertSearchAttributes([{ key: stuckDestinations, value: boundedNames(names) }]);
    setCurrentDetails(parking.details());
  };

  for (const branch of branches) deliver(branch);
  for (;;) {
    await condition(() => parking.hasNews() || failures.length > 0 || isOver());
    if (failures.length > 0) throw failures[0];
    if (!parking.hasNews()) break;
    obey(parking.takeNews());
    tellStuck();
  }

  const receipt: BatchReceipt = {
    events: plan.events,
    deliveries: Object.fromEntries(
      branches.map(({ planned, receipt }) => [planned.destination, receipt]),
    ),
  };
  const rejected = branches.reduce((sum, { receipt }) => sum + receipt.rejected, 0);
  if (rejected > 0) upsertSearchAttributes([{ key: rejectedEvents, value: rejected }]);
  const expired = branches.flatMap((branch) => branch.expired);
  if (expired.length > 0) {
    if (!told.expired) tellStuck();
    throw ApplicationFailure.nonRetryable(expiredWords(expired), notDelivered, receipt, expired);
  }
  return receipt;
}

/** How far each branch has come, as an operator is told. */
const stateOf = (branches: readonly Branch[], parked: readonly Parked[]): BatchState => {
  const shown = (part: Unsettled, parkedAt?: number): UnsettledState => {
    const count = countRanges(part.events);
    return { ...part, count, ...(parkedAt !== undefined && { parkedAt }) };
  };
  return Object.fromEntries(
    branches.map(({ planned: { destination }, receipt, underWay, expired }) => {
      const waiting = parked.filter((part) => part.destination === destination);
      const moving = [...underWay].flat();
      return [
        destination,
        {
          state:
            moving.length > 0
              ? 'under_way'
              : waiting.length > 0
                ? 'parked'
                : expired.length > 0
                  ? 'expired'
                  : 'settled',
          receipt,
          unsettled: [
            ...moving.map((part) => shown(part)),
            ...waiting.map(({ part, parkedAt }) => shown(part, parkedAt)),
            ...expired.map((part) => shown(part)),
          ],
        },
      ];
    }),
  );
};
