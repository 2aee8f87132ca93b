import type { PastAttempt } from '../delivery.ts';
import type { PendingDelivery } from './batch-view.ts';

/** `under_way`: it is not over; `received` is then as if it ended now. */
export type ToldAttempt = Omit<PastAttempt, 'status'> & {
  status: PastAttempt['status'] | 'under_way';
};

/** Clocks of workers and of Temporal may differ by so much; a worker's death is noticed later. */
const skewMs = 5_000;

/** A checkpoint tells of the attempt that makes it as if its worker ended there, which it has not. */
export const asIs = (past: PastAttempt, activities: readonly PendingDelivery[]): ToldAttempt =>
  past.status === 'lost' &&
  activities.some(
    ({ isRunning, startedAt = Infinity }) => isRunning && past.at >= startedAt - skewMs,
  )
    ? { ...past, status: 'under_way' }
    : past;

/** The attempts of the connection that serves a source: one of its own goes before the shared one. */
export const attemptsOf = (
  attempts: readonly PastAttempt[],
  destination: string,
  source: string,
): PastAttempt[] => {
  const own = attempts.filter(({ connection }) => connection === `${destination}/${source}`);
  const mine = own.length > 0 ? own : attempts.filter((past) => past.connection === destination);
  const told = new Map(mine.map((past) => [`${past.connection} ${past.at}`, past]));
  return [...told.values()].sort((a, b) => a.at - b.at);
};
