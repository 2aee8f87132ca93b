import type { WorkflowService } from '@temporalio/client';
import type { EncryptionKey } from '../encryption.ts';
import { decodeEvents, type BatchedEvent, type SourceEvents } from '../temporal/events-encoding.ts';
import type { BatchRun } from './attempt.ts';

/** Where in the workflow's arguments the events are. */
const eventsArgument = 1;

/** The events of batches, as destinations read them. */
export interface BatchReader {
  /** @throws what Temporal's client and `decodeEvents` throw */
  read: (run: BatchRun) => Promise<readonly BatchedEvent[]>;
  /** Keeps the events of a batch that this process has started: they need not be read. */
  keep: (run: BatchRun, parts: readonly SourceEvents[]) => void;
}

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
}): BatchReader => {
  const kept = new Map<string, { events: Promise<readonly BatchedEvent[]>; bytes: number }>();
  let bytes = 0;

  const forget = (runId: string): void => {
    bytes -= kept.get(runId)?.bytes ?? 0;
    kept.delete(runId);
  };
  const makeRoom = (runId: string): void => {
    for (const [oldest] of kept) {
      if (bytes <= keptBytes || oldest === runId) break;
      forget(oldest);
    }
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
      bytes += size - entry.bytes; // two reads of it may have been under way
      entry.bytes = size;
    }
    makeRoom(runId);
    return events;
  };

  return {
    read: (run) => {
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
    },
    keep: ({ runId }, parts) => {
      if (kept.has(runId)) return; // a delivery was faster
      const events: BatchedEvent[] = [];
      let size = 0;
      for (const { source, events: ofSource } of parts) {
        for (const { event, json } of ofSource) {
          events.push({ source, event });
          size += json.length;
        }
      }
      kept.set(runId, { events: Promise.resolve(events), bytes: size });
      bytes += size;
      makeRoom(runId);
    },
  };
};
