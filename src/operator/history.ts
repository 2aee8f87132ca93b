import type { History } from '@temporalio/common/lib/proto-utils.js';
import type { Operator } from './target.ts';

export type HistoryEvent = NonNullable<History['events']>[number];

/** One run of a batch's workflow. */
export interface Run {
  workflowId: string;
  runId: string;
}

/** A page is one message of at most 4 MiB, and a batch's first event alone may be half of that. */
const pageSize = 200;

/** Reads a run's history, page by page. */
export const readHistory = async (
  { client, namespace }: Pick<Operator, 'client' | 'namespace'>,
  run: Run,
): Promise<HistoryEvent[]> => {
  const events: HistoryEvent[] = [];
  let nextPageToken = new Uint8Array();
  do {
    const page = await client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: run,
      maximumPageSize: pageSize,
      nextPageToken,
    });
    events.push(...(page.history?.events ?? []));
    nextPageToken = new Uint8Array(page.nextPageToken);
  } while (nextPageToken.length > 0);
  return events;
};
