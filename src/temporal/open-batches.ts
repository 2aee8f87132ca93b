import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { BackedOff, RedriveDeps } from '../activities/redrive-page.ts';
import {
  batchWorkflow,
  deliveriesQuery,
  destinationQueue,
  redriveSignal,
  type BatchState,
} from '../delivery.ts';
import { checkpointOf } from './checkpoint.ts';

/** What operators ask and tell batches that are not settled. */
export interface OpenBatches extends Pick<RedriveDeps, 'list' | 'redrive' | 'backedOff'> {
  count: (query: string) => Promise<number>;
  /** How far a batch has come; undefined where it has ended. */
  state: (batch: string) => Promise<BatchState | undefined>;
}

/** The visibility query of the batches that are not settled and for which this holds, too. */
export const openBatches = (...conditions: string[]): string =>
  [`WorkflowType = '${batchWorkflow}'`, "ExecutionStatus = 'Running'", ...conditions].join(' AND ');

const orEnded = async <T>(ask: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
};

/** @param client with the converter by which deliveries' checkpoints are read */
export const createOpenBatches = (client: Client): OpenBatches => {
  const { workflowService, options } = client;
  const { namespace, loadedDataConverter } = options;
  return {
    list: async (query, size, token) => {
      const { executions, nextPageToken } = await workflowService.listWorkflowExecutions({
        namespace,
        query,
        pageSize: size,
        ...(token !== undefined && { nextPageToken: Buffer.from(token, 'base64') }),
      });
      return {
        ids: executions.map(({ execution }) => execution!.workflowId!),
        ...(nextPageToken.length > 0 && { token: Buffer.from(nextPageToken).toString('base64') }),
      };
    },
    count: async (query) => (await client.workflow.count(query)).count,
    // By its id alone: after a reset the batch is another run.
    redrive: async (batch, choice) =>
      (await orEnded(async () => {
        await client.workflow.getHandle(batch).signal(redriveSignal, choice);
        return true;
      })) ?? false,
    state: (batch) =>
      orEnded(() => client.workflow.getHandle(batch).query<BatchState>(deliveriesQuery)),
    backedOff: (batch, destination) =>
      orEnded(async () => {
        const { raw, runId, status } = await client.workflow.getHandle(batch).describe();
        if (status.name !== 'RUNNING')
          throw new WorkflowNotFoundError('It has ended', batch, runId);
        const waiting = (raw.pendingActivities ?? []).filter(
          ({ activityOptions, nextAttemptScheduleTime, paused }) =>
            activityOptions?.taskQueue?.name === destinationQueue(destination) &&
            nextAttemptScheduleTime != null &&
            paused !== true,
        );
        return Promise.all(
          waiting.map(async (activity): Promise<BackedOff> => ({
            workflowId: batch,
            runId,
            activityId: activity.activityId!,
            unsettled: (await checkpointOf(loadedDataConverter, activity))?.unsettled,
          })),
        );
      }),
  };
};
