import { fromRanges } from '../activities/ranges.ts';
import type { Ranges } from '../delivery.ts';
import { leftBy, takesUp, type PastDelivery, type PastRun } from './past-deliveries.ts';

/** What a reset would do to one destination of the batch. */
interface ResetShare {
  destination: string;
  /** At most so many events are sent to it again; 0: what it has is kept. */
  again: number;
  /** Of what is kept: events that are not settled, and stay so. */
  left: number;
}

/** A reset that sends to one destination again. */
export interface ResetPlan {
  /** The new run keeps what is before this event. */
  eventId: number;
  /** What of the destination begins again, in words. */
  redone: string;
  /** In the order of the batch's plan. */
  shares: ResetShare[];
  /** Rejected events of the destination that stay rejected. */
  staysRejected: number;
  /** Signals after the reset point; Temporal gives them to the new run at once. */
  signals: number;
}

/** How many places these hold, each counted once: a redriven part is there twice. */
const countOnce = (parts: readonly Ranges[]): number => new Set(parts.flatMap(fromRanges)).size;

const endOf = ({ ended }: PastDelivery): number => ended ?? Infinity;

/** What a delivery left that no later one of its destination took up, in events. */
const left = (delivery: PastDelivery, run: PastRun): number => {
  const later = run.deliveries.filter(
    (other) =>
      other.input.destination === delivery.input.destination && other.scheduled > endOf(delivery),
  );
  const rest = leftBy(delivery);
  if (rest === 'all') return later.some((other) => takesUp(other)) ? 0 : run.plan.events;
  const untaken = rest.filter((part) => !later.some((other) => takesUp(other, part.connection)));
  return countOnce(untaken.map(({ events }) => events));
};

const rejectedBy = ({ progress }: PastDelivery): number => progress?.receipt.rejected ?? 0;

/** The delivery to begin with again, and why it. */
const beginning = (
  own: readonly PastDelivery[],
  run: PastRun,
  whole: boolean,
): { delivery: PastDelivery; redone: string } => {
  const byEnd = own.toSorted((a, b) => endOf(a) - endOf(b));
  const [first] = own;
  const name = (delivery: PastDelivery) =>
    delivery === first ? 'its first pass' : 'its continuation';
  const at = ({ ended }: PastDelivery) =>
    ended === undefined ? 'which had not ended' : `which ended at event ${ended}`;
  if (!whole) {
    const unsettled = byEnd.find((delivery) => left(delivery, run) > 0);
    if (unsettled !== undefined) {
      const count = left(unsettled, run);
      const redone = `${name(unsettled)}, ${at(unsettled)} and left ${count} ${count === 1 ? 'event' : 'events'} unsettled`;
      return { delivery: unsettled, redone };
    }
    const rejecting = byEnd.find((delivery) => rejectedBy(delivery) > 0);
    if (rejecting !== undefined) {
      const redone = `${name(rejecting)}, ${at(rejecting)} with ${rejectedBy(rejecting)} events rejected`;
      return { delivery: rejecting, redone };
    }
  }
  return { delivery: first!, redone: `its first pass, ${at(first!)}` };
};

const shareOf = (destination: string, eventId: number, run: PastRun): ResetShare => {
  const own = run.deliveries.filter(({ input }) => input.destination === destination);
  const redone = own.filter((delivery) => endOf(delivery) > eventId);
  const kept = own.filter((delivery) => endOf(delivery) < eventId);
  const inputs = redone.flatMap(({ input }) => input.unsettled?.map(({ events }) => events) ?? []);
  const all = own.length === 0 || redone.some(({ input }) => input.unsettled === undefined);
  return {
    destination,
    again: all ? run.plan.events : countOnce(inputs),
    left: kept.reduce((sum, delivery) => sum + left(delivery, run), 0),
  };
};

/**
 * Finds the reset that sends to one destination again and keeps the most of the others' deliveries:
 * the last that is possible before the destination's outcome. What had ended by then is kept; all else
 * is dispatched afresh.
 * @param whole begin with the first pass; else with the first delivery whose events are unsettled to
 *   this day, else with the first that had events rejected, else with the first pass
 * @returns undefined where the history has no event to reset to, or no such destination
 */
export const planReset = (
  run: PastRun,
  destination: string,
  whole: boolean,
): ResetPlan | undefined => {
  const own = run.deliveries.filter(({ input }) => input.destination === destination);
  if (own.length === 0) return undefined;
  const { delivery, redone } = beginning(own, run, whole);
  const eventId = run.resetPoints.findLast((point) => point < endOf(delivery));
  if (eventId === undefined) return undefined;
  const kept = own.filter((each) => endOf(each) < eventId);
  return {
    eventId,
    redone,
    shares: run.plan.deliveries.map((planned) => shareOf(planned.destination, eventId, run)),
    staysRejected: kept.reduce((sum, each) => sum + rejectedBy(each), 0),
    signals: run.signals.filter((signal) => signal > eventId).length,
  };
};
