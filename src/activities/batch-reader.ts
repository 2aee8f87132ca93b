import type { WorkflowService } from '@temporalio/client';
import type { EncryptionKey } from '../encryption.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';
import { decodeEvents } from '../temporal/events-encoding.ts';
import type { BatchRun } from './attempt.ts';

/** Where in the workflow's arguments the events are. */
const eventsArgument = 1;

/**
 * Reads a batch's events from its workflow's first history event, and keeps the last ones, so that
 * the destinations of one process read and decode a batch once.
 * @param keys decrypt them
 * @param keptBytes most bytes of JSON text kept; what is in use stays in memory besides
 */
export const createBatchReader = ({
  workflowService,
  namespace,
  keys,
  keptBytes,
}: {
  workflowService: Pick<WorkflowService, 'getWorkflowExecutionHistory'>;
  namespace: string;
  keys: readonly EncryptionKey[];
  keptBytes: number;
}): ((run: BatchRun) => Promise<readonly BatchedEvent[]>) => {
  const kept = new Map<string, { events: Promise<readonly BatchedEvent[]>; bytes: number }>();
  let bytes = 0;

  const forget = (runId: string): void => {
    bytes -= kept.get(runId)?.bytes ?? 0;
    kept.delete(runId);
  };

  const read = async ({ workflowId, runId }: BatchRun): Promise<readonly BatchedEvent[]> => {
    const { history } = await workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    });
    const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
    const payload = started?.input?.payloads?.[eventsArgument];
    if (payload?.data == null) throw new Error(`The workflow ${workflowId} holds no events`);
    const { events, size } = await decodeEvents(payload.data, keys);
    const entry = kept.get(runId);
    if (entry !== undefined) {
      entry.bytes = size;
      bytes += size;
    }
    for (const [oldest] of kept) {
      if (bytes <= keptBytes || oldest === runId) break;
      forget(oldest);
    }
    return events;
  };

  return (run) => {
    const known = kept.get(run.runId);
    if (known !== undefined) {
      kept.delete(run.runId); // and put it last: the least recently used goes first
      kept.set(run.runId, known);
      return known.events;
    }
    const events = read(run);
    kept.set(run.runId, { events, bytes: 0 });
    events.catch(() => forget(run.runId));
    return events;
  };
};
