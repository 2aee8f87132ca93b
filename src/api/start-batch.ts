import { randomUUID } from 'node:crypto';
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { batchQueue, batchWorkflow, boundedNames } from '../delivery.ts';
import type { Config } from '../config.ts';
import { encodeEvents, type SourceEvents } from '../temporal/events-encoding.ts';
import { planBatch } from './plan.ts';

const sourcesKey = defineSearchAttributeKey('Sources', 'KEYWORD_LIST');
const destinationsKey = defineSearchAttributeKey('Destinations', 'KEYWORD_LIST');

/** Temporal takes payloads of at most 2 MiB; this leaves room for the rest of the request. */
const largestPayload = 1_900_000;
/** With the coalescer's patience less than an SDK's own timeout, 10 s, so that the client hears the answer. */
const startTimeoutMs = 5_000;

/** A batch does not fit into one payload, however well it was compressed. */
export class BatchTooLarge extends Error {
  override readonly name = 'BatchTooLarge';
}

/**
 * Starts a workflow for a batch; resolves with its id once Temporal has persisted it.
 * @throws BatchTooLarge, or what Temporal's client throws; then nothing, or nothing known, was kept
 */
export type StartBatch = (parts: readonly SourceEvents[]) => Promise<string>;

/** Told of a workflow's run and what it carries. */
type OnStarted = (
  run: { workflowId: string; runId: string },
  parts: readonly SourceEvents[],
) => void;

/**
 * @param client on the very `NativeConnection` that a workflow worker of this process uses, so that
 * Temporal can hand over the first workflow task with the answer (eager start)
 * @param onStarted told of what was started, mostly before a delivery of it is under way
 */
export const createBatchStarter =
  ({
    client,
    config: { destinations, encryptionKeys },
    onStarted = () => undefined,
    taskQueue = batchQueue,
  }: {
    client: Client;
    config: Pick<Config, 'destinations' | 'encryptionKeys'>;
    onStarted?: OnStarted;
    taskQueue?: string;
  }): StartBatch =>
  async (parts) => {
    const events = await encodeEvents(parts, encryptionKeys);
    if (events.bytes.length > largestPayload) {
      throw new BatchTooLarge(
        `${events.bytes.length} bytes, compressed, are more than Temporal takes`,
      );
    }
    const plan = planBatch(destinations, parts);
    const workflowId = `batch-${randomUUID()}`;
    let runId: string | undefined;
    try {
      const handle = await client.withDeadline(Date.now() + startTimeoutMs, () =>
        client.workflow.start(batchWorkflow, {
          workflowId,
          taskQueue,
          args: [plan, events],
          typedSearchAttributes: new TypedSearchAttributes([
            { key: sourcesKey, value: boundedNames(new Set(parts.map(({ source }) => source))) },
            {
              key: destinationsKey,
              value: boundedNames(plan.deliveries.map(({ destination }) => destination)),
            },
          ]),
          requestEagerStart: true,
        }),
      );
      runId = handle.firstExecutionRunId;
    } catch (error) {
      // The id is ours alone: an earlier try of the same call got through after all.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    if (runId !== undefined) onStarted({ workflowId, runId }, parts);
    return workflowId;
  };
