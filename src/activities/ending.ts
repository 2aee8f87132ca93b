import { ApplicationFailure, type Context } from '@temporalio/activity';
import type { DeliverInput, Progress, RetryPolicy, Unsettled } from '../delivery.ts';
import type { Pace } from './pace.ts';
import { createReturnTimes, type ReturnTimes } from './return-times.ts';
import type { WaitingDelivery, WaitingRoom } from './waiting-room.ts';

/** How soon a delivery that found no free slot comes back, about. */
const crowdedDelayMs = 2_000;
/** For so long returns may be spread, whatever the policy's longest delay. */
const shortestHorizonMs = 60_000;
/** Most deliveries a second that come back to a connection that fails, and to a destination's. */
const returnsPerSecond = { perConnection: 4, perDestination: 20 };

/** A retryable failure that names its own delay; Temporal carries the checkpoint to the next attempt. */
const again = (message: string, delayMs: number, type: string): ApplicationFailure =>
  ApplicationFailure.create({ message, type, nextRetryDelay: Math.max(1, Math.round(delayMs)) });

/** Ends a cancelled attempt: for good, or, where only its worker ends, to go on with another. */
export const throwIfCancelled = ({ aborted, reason }: AbortSignal): void => {
  if (!aborted) return;
  if ((reason as Error).message !== 'WORKER_SHUTDOWN') throw reason;
  throw again('The worker is shutting down', 0, 'Drained');
};

export const deliveryOf = ({ info }: Context): WaitingDelivery => ({
  ...info.workflowExecution!,
  activityId: info.activityId,
});

const waitingWords = (waiting: readonly Unsettled[]): string => {
  const [first] = waiting;
  const more = waiting.length > 1 ? ` (and ${waiting.length - 1} more connections)` : '';
  return `${first!.connection}: ${first!.reason ?? 'not all could be sent in one attempt'}${more}`;
};

/** How attempts of one destination's deliveries end that leave something to do. */
export interface Ending {
  /** The failure of an attempt that could not begin its work for lack of room. */
  crowded: (message: string) => ApplicationFailure;
  /**
   * Ends an attempt: answers, or keeps its progress for the next one and fails, to be tried again. A
   * first pass that has left but one connection unsettled is that one's continuation from now on. What
   * has parked among several connections is handed over at once, so that it shows.
   * @throws ApplicationFailure retryable, with its delay
   */
  end: (progress: Progress, input: DeliverInput, context: Context) => Progress;
  /** A connection works again: nobody has to make way for its returns. */
  forget: ReturnTimes['forget'];
}

export const createEnding = ({
  pace,
  waitingRoom,
  now,
  random,
}: {
  pace: Pace;
  waitingRoom: WaitingRoom;
  now: () => number;
  random: () => number;
}): Ending => {
  const returnTimes = createReturnTimes(returnsPerSecond, now, random);

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

  return {
    crowded: (message) => again(message, crowdedDelayMs * (0.5 + random()), 'Crowded'),
    forget: returnTimes.forget,
    end: (progress, input, context) => {
      const { aborted } = context.cancellationSignal;
      const { unsettled } = progress;
      const waiting = unsettled.filter(({ parked }) => parked === undefined);
      const isFirstOfSeveral = input.unsettled === undefined && unsettled.length > 1;
      const isHandedOver = isFirstOfSeveral || waiting.length < unsettled.length;
      if (waiting.length === 0 || (isHandedOver && !aborted)) return progress;
      if (aborted) {
        context.heartbeat(progress);
        throwIfCancelled(context.cancellationSignal);
      }
      const dueAt = Math.min(...waiting.map(({ notBefore = 0 }) => notBefore));
      // Temporal does the waiting from here on: whoever hurries the activity hurries these.
      const kept = unsettled.map(({ notBefore = 0, ...part }) =>
        notBefore > dueAt ? { ...part, notBefore } : part,
      );
      context.heartbeat({ ...progress, unsettled: kept });
      const inMs = returnAt(waiting, dueAt, input.retry) - now();
      waitingRoom.enter(
        waiting.map(({ connection }) => connection),
        deliveryOf(context),
        inMs,
      );
      throw again(waitingWords(waiting), inMs, 'Unsettled');
    },
  };
};
