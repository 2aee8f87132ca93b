import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { decodeFromPayloadsAtIndex } from '@temporalio/common/lib/internal-non-workflow/codec-helpers.js';
import type { Progress } from '../delivery.ts';

type PendingActivity = NonNullable<
  WorkflowExecutionDescription['raw']['pendingActivities']
>[number];

/** What a pending delivery's last heartbeat kept; undefined where its attempts have handed nothing in. */
export const checkpointOf = (
  converter: LoadedDataConverter,
  { heartbeatDetails }: PendingActivity,
): Promise<Progress | undefined> =>
  decodeFromPayloadsAtIndex(converter, 0, heartbeatDetails?.payloads);
