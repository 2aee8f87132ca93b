import { countPlaces, hasPlace } from '../activities/ranges.ts';
import type {
  Abandonment,
  FailureCode,
  Filter,
  FilterRule,
  PastAttempt,
  ParkReason,
  PlannedDelivery,
  Receipt,
  Unsettled,
  UnsettledState,
} from '../delivery.ts';
import { routeOrRule, type Destination } from '../destinations/destination.ts';
import type { BatchView, PendingDelivery } from './batch-view.ts';
import type { FoundEvent } from './find-event.ts';

/** What became of an event at a destination. Times are ms since the epoch. */
export type Fate =
  | { outcome: 'delivered' }
  /** `unplanned`: by a configuration that is not today's; `untold`: by any of them. */
  | { outcome: 'filtered'; rule: FilterRule | 'unplanned' | 'untold' }
  | { outcome: 'rejected'; reasons: string[] }
  | { outcome: 'abandoned'; reason: string; at: number }
  | { outcome: 'under_way'; attempt?: number; failing?: Failing }
  | { outcome: 'waiting'; nextAttemptAt?: number; isPaused: boolean; failing: Failing }
  | {
      outcome: 'parked' | 'expired';
      why: ParkReason;
      parkedAt?: number;
      keptUntil?: number;
      failing: Failing;
    }
  /** `possible`: what it may be, as far as that is known. */
  | { outcome: 'unknown'; why: string; possible: ('delivered' | 'rejected' | 'filtered')[] };

/** How a connection fails. Times are ms since the epoch. */
export interface Failing {
  reason?: string;
  code?: FailureCode;
  since?: number;
  /** Failed attempts in a row. */
  attempts?: number;
}

/** An event's account at one destination. */
export interface DestinationAccount {
  destination: string;
  /** Where it is known. */
  connection?: string;
  fate: Fate;
  /** The last few attempts of the event's connection in this batch, the latest last. */
  attempts: ToldAttempt[];
}

/** `under_way`: it is not over; `received` is then as if it ended now. */
export type ToldAttempt = Omit<PastAttempt, 'status'> & {
  status: PastAttempt['status'] | 'under_way';
};

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

/** How many of a count no set names. */
const unnamed = (count: number, entries: readonly Pick<Filter, 'events'>[]): number =>
  entries
    .flatMap(({ events = [] }) => events)
    .reduce((left, set) => left - countPlaces(set), count);

const toldBy = 'the receipt of this batch, of an older version, does not tell which';

/** What became of a settled event that no set names: what no set has to name, as a rule. */
const byCounts = (receipts: readonly Receipt[]): Fate => {
  const some = (left: (receipt: Receipt) => number): boolean =>
    receipts.some((receipt) => left(receipt) > 0);
  const possible = [
    ...(some(({ delivered }) => delivered) ? (['delivered'] as const) : []),
    ...(some(({ rejected, rejections }) => unnamed(rejected, rejections))
      ? (['rejected'] as const)
      : []),
    ...(some(({ filtered, filters = [] }) => unnamed(filtered, filters))
      ? (['filtered'] as const)
      : []),
  ];
  if (possible.length !== 1) {
    return possible.length === 0
      ? { outcome: 'unknown', why: 'the receipt of this batch has no place for it', possible }
      : { outcome: 'unknown', why: toldBy, possible };
  }
  if (possible[0] === 'delivered') return { outcome: 'delivered' };
  if (possible[0] === 'filtered') return { outcome: 'filtered', rule: 'untold' };
  const reasons = receipts.flatMap(({ rejections }) => rejections.map(({ reason }) => reason));
  return { outcome: 'rejected', reasons: [...new Set(reasons)] };
};

const failingOf = ({ reason, code, since, attempts }: Omit<Unsettled, 'events'>): Failing => ({
  ...(reason !== undefined && { reason }),
  ...(code !== undefined && { code }),
  ...(since !== undefined && { since }),
  ...(attempts !== undefined && { attempts }),
});

/** An event that is not settled, and that no operator has to be waited for. */
const pendingFate = (
  part: Pick<Unsettled, 'reason' | 'code' | 'since' | 'attempts' | 'notBefore'>,
  activity: PendingDelivery | undefined,
): Fate => {
  const failing = failingOf({ ...part, connection: '' });
  if (activity === undefined) return { outcome: 'under_way' };
  const { isRunning, isPaused, attempt, failure, nextAttemptAt } = activity;
  if (isRunning || (failure === undefined && !isPaused)) {
    return { outcome: 'under_way', attempt, failing };
  }
  const next = Math.max(nextAttemptAt ?? 0, part.notBefore ?? 0);
  return {
    outcome: 'waiting',
    ...(next > 0 && { nextAttemptAt: next }),
    isPaused,
    failing: { ...(failure !== undefined && { reason: failure }), ...failing },
  };
};

const parkedFate = (
  part: Omit<UnsettledState, 'count' | 'events'>,
  { keepMs }: PlannedDelivery,
  isExpired: boolean,
): Fate => ({
  outcome: isExpired ? 'expired' : 'parked',
  why: part.parked ?? 'spent',
  ...(part.parkedAt !== undefined && { parkedAt: part.parkedAt }),
  ...(part.parkedAt !== undefined && keepMs !== undefined && { keptUntil: part.parkedAt + keepMs }),
  failing: failingOf(part),
});

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

/** Clocks of workers and of Temporal may differ by so much; a worker's death is noticed later. */
const skewMs = 5_000;

/** A checkpoint tells of the attempt that makes it as if its worker ended there, which it has not. */
const asIs = (past: PastAttempt, activities: readonly PendingDelivery[]): ToldAttempt =>
  past.status === 'lost' &&
  activities.some(
    ({ isRunning, startedAt = Infinity }) => isRunning && past.at >= startedAt - skewMs,
  )
    ? { ...past, status: 'under_way' }
    : past;

/** The attempts of the connection that serves a source: one of its own goes before the shared one. */
const attemptsOf = (
  attempts: readonly PastAttempt[],
  destination: string,
  source: string,
): PastAttempt[] => {
  const own = attempts.filter(({ connection }) => connection === `${destination}/${source}`);
  const mine = own.length > 0 ? own : attempts.filter((past) => past.connection === destination);
  const told = new Map(mine.map((past) => [`${past.connection} ${past.at}`, past]));
  return [...told.values()].sort((a, b) => a.at - b.at);
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
