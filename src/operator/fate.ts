import { countPlaces } from '../activities/ranges.ts';
import type {
  FailureCode,
  Filter,
  FilterRule,
  ParkReason,
  PlannedDelivery,
  Receipt,
  Unsettled,
  UnsettledState,
} from '../delivery.ts';
import type { PendingDelivery } from './batch-view.ts';

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

/** How many of a count no set names. */
const unnamed = (count: number, entries: readonly Pick<Filter, 'events'>[]): number =>
  entries
    .flatMap(({ events = [] }) => events)
    .reduce((left, set) => left - countPlaces(set), count);

const toldBy = 'the receipt of this batch, of an older version, does not tell which';

/** What became of a settled event that no set names: what no set has to name, as a rule. */
export const byCounts = (receipts: readonly Receipt[]): Fate => {
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
export const pendingFate = (
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

/** A part that waits for an operator, or was given up. */
export const parkedFate = (
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
