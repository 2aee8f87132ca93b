import {
  isGrpcCancelledError,
  isGrpcDeadlineError,
  QueryNotRegisteredError,
  WorkflowFailedError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common';
import {
  decodeFromPayloadsAtIndex,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import { tsToMs } from '@temporalio/common/lib/time.js';
import {
  countRanges,
  deliveriesQuery,
  destinationQueue,
  notDelivered,
  type BatchReceipt,
  type BatchState,
  type Plan,
  type Progress,
  type Unsettled,
} from '../delivery.ts';
import { CannotOpen } from '../encryption.ts';
import { checkpointOf } from '../temporal/checkpoint.ts';
import { refusalIn } from './refusal.ts';

/** A delivery's activity that is under way, or waits for its next attempt. Times are ms since the epoch. */
export interface PendingDelivery {
  destination: string;
  /** Which attempt it is at or waits for, from 1. */
  attempt: number;
  isRunning: boolean;
  /** When it was last handed to a worker. */
  startedAt?: number;
  isPaused: boolean;
  /** What its last heartbeat kept. */
  progress?: Progress;
  nextAttemptAt?: number;
  /** Why its last attempt failed. */
  failure?: string;
}

/** All that Temporal tells of a batch. Times are ms since the epoch. */
export interface BatchView {
  batch: string;
  status: string;
  startedAt: number;
  plan: Plan;
  /** Absent where the workflow could not be asked: `unasked` says why. */
  state?: BatchState;
  unasked?: string;
  pending: readonly PendingDelivery[];
  /** Destinations and connections that are parked. */
  stuck: readonly string[];
  /** Why it ended without a result. */
  failure?: string;
}

const stuckKey = defineSearchAttributeKey('StuckDestinations', 'KEYWORD_LIST');
/** How long a workflow worker has for an answer. */
const answerMs = 5_000;
/** While a batch moves on between two looks, it is looked at again so often. */
const mostLooks = 3;
/** Temporal's PendingActivityState. */
const started = 2;

const pendingOf = async (
  client: Client,
  { raw }: WorkflowExecutionDescription,
  { deliveries }: Plan,
): Promise<PendingDelivery[]> => {
  const { loadedDataConverter } = client.options;
  const byQueue = new Map(
    deliveries.map(({ destination }) => [destinationQueue(destination), destination]),
  );
  return Promise.all(
    (raw.pendingActivities ?? []).map(async (activity): Promise<PendingDelivery> => {
      const progress = await checkpointOf(loadedDataConverter, activity);
      const error = await decodeOptionalFailureToOptionalError(
        loadedDataConverter,
        activity.lastFailure,
      );
      const next = activity.nextAttemptScheduleTime;
      const queue = activity.activityOptions?.taskQueue?.name ?? '';
      return {
        destination: byQueue.get(queue) ?? queue,
        attempt: activity.attempt ?? 1,
        isRunning: Number(activity.state) === started,
        isPaused: activity.paused ?? false,
        ...(activity.lastStartedTime != null && { startedAt: tsToMs(activity.lastStartedTime) }),
        ...(progress !== undefined && { progress }),
        ...(next != null && { nextAttemptAt: tsToMs(next) }),
        ...(error !== undefined && { failure: error.message }),
      };
    }),
  );
};

/** The state of a batch that has ended well: its receipts, and nothing left. */
const endState = ({ deliveries }: BatchReceipt): BatchState =>
  Object.fromEntries(
    Object.entries(deliveries).map(([destination, receipt]) => [
      destination,
      { state: 'settled', receipt, unsettled: [] },
    ]),
  );

/** Why a batch has ended otherwise; with its state, where it ended by itself. */
const failureOf = async (
  handle: WorkflowHandle,
): Promise<{ failure: string; state?: BatchState }> => {
  try {
    await handle.result();
    return { failure: '' };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause = error } = error;
    const { message: failure } = cause;
    if (!(cause instanceof ApplicationFailure) || cause.type !== notDelivered) return { failure };
    const [receipt, expired] = cause.details as [BatchReceipt, Unsettled[]];
    const state = endState(receipt);
    for (const part of expired) {
      const delivery = state[part.connection.split('/')[0]!]!;
      delivery.state = 'expired';
      delivery.unsettled.push({ ...part, count: countRanges(part.events) });
    }
    return { failure, state };
  }
};

/** Why a workflow did not answer, as a clause. */
const unaskedFor = (error: unknown): string => {
  if (error instanceof QueryNotRegisteredError) {
    return 'the workflow worker is of a version that cannot be asked how far a batch has come';
  }
  // A native connection cancels a call whose time is over.
  if (isGrpcDeadlineError(error) || isGrpcCancelledError(error)) {
    return `no workflow worker answered within ${answerMs / 1_000} s whether it can tell more`;
  }
  const words = refusalIn(error)?.words ?? (error as Error).message;
  return `the workflow could not be asked whether it can tell more (${words.replace(/[.\s]+$/, '')})`;
};

/**
 * Looks at a batch's latest run.
 * @throws WorkflowNotFoundError where there is none of this name; CannotOpen where a key is missing
 */
export const viewBatch = async (client: Client, batch: string): Promise<BatchView> => {
  let handle = client.workflow.getHandle(batch);
  let description = await handle.describe();
  handle = client.workflow.getHandle(batch, description.runId);

  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId: batch, runId: description.runId },
    maximumPageSize: 1,
  });
  const input = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input;
  const plan = await decodeFromPayloadsAtIndex<Plan>(
    client.options.loadedDataConverter,
    0,
    input?.payloads,
  );

  const ask = async (): Promise<{ state: BatchState } | { unasked: string }> => {
    try {
      return {
        state: await client.withDeadline(Date.now() + answerMs, () =>
          handle.query<BatchState>(deliveriesQuery),
        ),
      };
    } catch (error) {
      if (error instanceof CannotOpen) throw error;
      return { unasked: unaskedFor(error) };
    }
  };

  let answer: { state?: BatchState; unasked?: string; failure?: string } = {};
  const isRunning = (): boolean => description.status.name === 'RUNNING';
  for (let looks = 0; looks < mostLooks && isRunning(); looks++) {
    answer = await ask();
    const before = description;
    description = await handle.describe();
    if (before.historyLength === description.historyLength) break;
  }
  if (description.status.name === 'COMPLETED') {
    answer = { state: endState((await handle.result()) as BatchReceipt) };
  } else if (!isRunning()) {
    const ended = await failureOf(handle);
    answer = ended.state === undefined ? { ...(await ask()), ...ended } : ended;
  }
  return {
    batch,
    status: description.status.name.toLowerCase(),
    startedAt: description.startTime.getTime(),
    plan,
    ...answer,
    pending: await pendingOf(client, description, plan),
    stuck: description.typedSearchAttributes.get(stuckKey) ?? [],
  };
};
