import type { LoadedDataConverter } from '@temporalio/common';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { DeliverInput, Plan, Progress, Unsettled } from '../delivery.ts';
import type { HistoryEvent } from './history.ts';

/** One delivery of a run, as its history tells it. Numbers are event ids. */
export interface PastDelivery {
  input: DeliverInput;
  scheduled: number;
  /** When it was completed, or failed for good; absent where it had not ended. */
  ended?: number;
  /** What it answered; absent where it failed or had not ended. */
  progress?: Progress;
}

/** What a run of a batch's workflow was to do, and did. */
export interface PastRun {
  plan: Plan;
  deliveries: PastDelivery[];
  /**
   * The events that a reset may name, ascending: ends of workflow tasks, and activities' starts while a
   * task waits for its worker (the server wants one in between scheduled and ended).
   */
  resetPoints: number[];
  /** Signals that were received, ascending: a reset applies those after it again. */
  signals: number[];
}

const idOf = ({ eventId }: HistoryEvent): number => Number(eventId);

/** Reads what is of interest out of a history's events. */
export const readPastRun = async (
  events: readonly HistoryEvent[],
  converter: LoadedDataConverter,
): Promise<PastRun> => {
  type Payloads = Parameters<typeof decodeArrayFromPayloads>[1];
  const decoded = async <T>(payloads: Payloads): Promise<T> =>
    (await decodeArrayFromPayloads(converter, payloads?.slice(0, 1)))[0] as T;

  const started = events[0]?.workflowExecutionStartedEventAttributes;
  const plan = await decoded<Plan>(started?.input?.payloads);
  const deliveries = new Map<number, PastDelivery>();
  const resetPoints: number[] = [];
  const signals: number[] = [];
  let taskWaits = false;
  for (const event of events) {
    const id = idOf(event);
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled != null) {
      const input = await decoded<DeliverInput>(scheduled.input?.payloads);
      deliveries.set(id, { input, scheduled: id });
    }
    const completed = event.activityTaskCompletedEventAttributes;
    const ended =
      completed ??
      event.activityTaskFailedEventAttributes ??
      event.activityTaskTimedOutEventAttributes ??
      event.activityTaskCanceledEventAttributes;
    const delivery = deliveries.get(Number(ended?.scheduledEventId));
    if (delivery !== undefined) {
      delivery.ended = id;
      if (completed != null)
        delivery.progress = await decoded<Progress>(completed.result?.payloads);
    }
    const taskEnded =
      event.workflowTaskCompletedEventAttributes ??
      event.workflowTaskFailedEventAttributes ??
      event.workflowTaskTimedOutEventAttributes;
    if (taskEnded != null || (taskWaits && event.activityTaskStartedEventAttributes != null))
      resetPoints.push(id);
    if (event.workflowTaskScheduledEventAttributes != null) taskWaits = true;
    if (event.workflowTaskStartedEventAttributes != null || taskEnded != null) taskWaits = false;
    if (event.workflowExecutionSignaledEventAttributes != null) signals.push(id);
  }
  return { plan, deliveries: [...deliveries.values()], resetPoints, signals };
};

/** What a delivery was to send, and has not settled; 'all': the whole batch. */
export const leftBy = ({ input, progress }: PastDelivery): Unsettled[] | 'all' =>
  progress?.unsettled ?? input.unsettled ?? 'all';

/** Whether a delivery was given what is left of that connection; `undefined`: of the whole batch. */
export const takesUp = ({ input }: PastDelivery, connection?: string): boolean =>
  input.unsettled === undefined || input.unsettled.some((part) => part.connection === connection);
