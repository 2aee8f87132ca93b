import type { Client } from '@temporalio/client';
import { redriveId, redriveWorkflow } from '../delivery.ts';
import { lookAtRedrive, progressWords } from './redrive-watch.ts';

/** Every redrive that is under way, in a line each. */
export const redriveLines = async (client: Client): Promise<string[]> => {
  const query = `WorkflowType = '${redriveWorkflow}' AND ExecutionStatus = 'Running'`;
  const lines: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) {
    const destination = workflowId.slice(redriveId('').length);
    const looked = await lookAtRedrive(client, destination);
    const words =
      looked?.progress === undefined ? 'no process answers for it' : progressWords(looked.progress);
    lines.push(`redrive of ${destination}: ${words}`);
  }
  return lines;
};
