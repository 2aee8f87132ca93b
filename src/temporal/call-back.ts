import type { WorkflowService } from '@temporalio/client';

/**
 * Has Temporal hand out an activity that waits for its next try, now and with its checkpoint: what
 * `temporal activity reset` does.
 */
export const createCallBack =
  (workflowService: Pick<WorkflowService, 'resetActivity'>, namespace: string) =>
  async ({
    workflowId,
    runId,
    activityId,
  }: {
    workflowId: string;
    runId: string;
    activityId: string;
  }): Promise<void> => {
    await workflowService.resetActivity({
      namespace,
      execution: { workflowId, runId },
      id: activityId,
      keepPaused: true, // an operator's word holds
    });
  };
