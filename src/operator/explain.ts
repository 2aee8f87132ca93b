import { countPlaces, hasPlace } from '../activities/ranges.ts';
import type {
  Abandonment,
  PastAttempt,
  PlannedDelivery,
  Receipt,
  Unsettled,
  UnsettledState,
} from '../delivery.ts';
import { routeOrRule, type Destination } from '../destinations/destination.ts';
import type { BatchView, PendingDelivery } from './batch-view.ts';
import { byCounts, parkedFate, pendingFate, type Fate } from './fate.ts';
import type { FoundEvent } from './find-event.ts';
import { asIs, attemptsOf, type ToldAttempt } from './told-attempts.ts';

/** An event's account at one destination. */
export interface DestinationAccount {
  destination: string;
  /** Where it is known. */
  connection?: string;
  fate: Fate;
  /** The last few attempts of the event's connection in this batch, the latest last. */
  attempts: ToldAttempt[];
}

type Pieces = Omit<DestinationAccount, 'destination' | 'attempts'> & { past?: PastAttempt[] };

/** Where a set says what became of it. */
const inSets = (
  { rejections, filters = [], abandoned = [] }: Receipt,
  place: number,
  messageId: string,
): Pieces | undefined => {
  const gone = abandoned.find(({ events }: Abandonment) => hasPlace(events, place));
  if (gone !== undefined) {
    const { connection, reason, at } = gone;
    return { connection, fate: { outcome: 'abandoned', reason, at } };
  }
  const rejection =
    rejections.find(({ events }) => events?.some((set) => hasPlace(set, place))) ??
    rejections.find(({ events, messageIds }) => !events && messageIds.includes(messageId));
  if (rejection !== undefined) {
    return { fate: { outcome: 'rejected', reasons: [rejection.reason] } };
  }
  const filter = filters.find(({ events }) => events?.some((set) => hasPlace(set, place)));
  return filter && { fate: { outcome: 'filtered', rule: filter.rule } };
};

const countOf = ({ delivered, rejected, filtered, abandoned = [] }: Receipt): number =>
  delivered + rejected + filtered + abandoned.reduce((sum, { count }) => sum + count, 0);

const atPlanned = (
  view: BatchView,
  planned: PlannedDelivery,
  { place, event }: FoundEvent,
): Pieces => {
  const { destination } = planned;
  const state = view.state?.[destination];
  const activities = view.pending.filter((pending) => pending.destination === destination);
  const checkpoints = activities.flatMap(({ progress }) => progress ?? []);
  const isAll = checkpoints.length === activities.length;
  const holds = ({ events }: Unsettled | UnsettledState): boolean => hasPlace(events, place);

  for (const receipt of [state?.receipt, ...checkpoints.map((progress) => progress.receipt)]) {
    const told = receipt && inSets(receipt, place, event.messageId);
    if (told !== undefined) return told;
  }
  for (const activity of activities) {
    const part = activity.progress?.unsettled.find(holds);
    if (part === undefined) continue;
    const { connection, past = [] } = part;
    const fate =
      part.parked === undefined ? pendingFate(part, activity) : parkedFate(part, planned, false);
    return { connection, past, fate };
  }
  const first = activities.find(({ progress }) => progress === undefined) ?? activities[0];
  const settledByAll = (): Fate => byCounts(checkpoints.map(({ receipt }) => receipt));
  const unsettled = state?.unsettled.find(holds);
  if (unsettled !== undefined) {
    const { connection, past = [] } = unsettled;
    const isParked = unsettled.parked !== undefined;
    // Given up already, though the batch fails only once all else is settled.
    const isExpired = state?.state === 'expired' || (isParked && unsettled.parkedAt === undefined);
    const fate =
      isExpired || isParked
        ? parkedFate(unsettled, planned, isExpired)
        : activities.length > 0 && isAll
          ? settledByAll()
          : pendingFate(unsettled, first);
    return { connection, past, fate };
  }
  const isWhole =
    state !== undefined &&
    (state.state !== 'under_way' ||
      countOf(state.receipt) + state.unsettled.reduce((sum, { count }) => sum + count, 0) >=
        view.plan.events);
  if (isWhole) return { fate: byCounts([state.receipt]) };
  // A first pass that goes on by itself carries the whole batch.
  const whole = checkpoints.find(
    ({ receipt, unsettled: left }) =>
      countOf(receipt) + left.reduce((sum, { events }) => sum + countPlaces(events), 0) >=
      view.plan.events,
  );
  if (whole !== undefined) return { fate: byCounts([whole.receipt]) };
  if (state !== undefined) return { fate: pendingFate({}, first) };
  return { fate: { outcome: 'unknown', why: unaskedWords(view, planned, first), possible: [] } };
};

const unaskedWords = (
  { status, stuck, unasked = '' }: BatchView,
  { destination }: PlannedDelivery,
  activity: PendingDelivery | undefined,
): string => {
  if (status !== 'running') return `the batch has ended (${status}), and ${unasked}`;
  if (activity !== undefined) {
    return `a delivery is pending here, which may hold it or not, and ${unasked}`;
  }
  const isStuck = stuck.some((name) => name.split('/')[0] === destination);
  return isStuck
    ? `events of the batch are parked here, it may be among them, and ${unasked}`
    : `no delivery is pending here, so it is settled, but ${unasked}`;
};

/** Why a destination is not in a batch's plan, by the configuration of today. */
const unplannedRule = (
  destination: Destination,
  { event, source }: FoundEvent,
): (Fate & { outcome: 'filtered' })['rule'] => {
  const found = routeOrRule(destination, event, source);
  return typeof found === 'string' ? found : 'unplanned';
};

/**
 * What became of one event, at each destination that its batch was planned for, and at those of
 * today's configuration that it was not.
 */
export const explainEvent = (
  view: BatchView,
  found: FoundEvent,
  destinations: readonly Destination[],
): DestinationAccount[] => {
  const planned = new Set(view.plan.deliveries.map(({ destination }) => destination));
  return [
    ...view.plan.deliveries.map((delivery): DestinationAccount => {
      const { destination } = delivery;
      const { past = [], ...pieces } = atPlanned(view, delivery, found);
      const activities = view.pending.filter((pending) => pending.destination === destination);
      const known = [
        ...(view.state?.[destination]?.receipt.attempts ?? []),
        ...activities.flatMap(({ progress }) => progress?.receipt.attempts ?? []),
        ...past,
      ];
      const mine = attemptsOf(known, destination, found.source);
      return { destination, ...pieces, attempts: mine.map((past) => asIs(past, activities)) };
    }),
    ...destinations
      .filter(({ name }) => !planned.has(name))
      .map((destination): DestinationAccount => ({
        destination: destination.name,
        fate: { outcome: 'filtered', rule: unplannedRule(destination, found) },
        attempts: [],
      })),
  ];
};
