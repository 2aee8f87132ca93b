import { ApplicationFailure, type Context } from '@temporalio/activity';
import {
  emptyReceipt,
  type DeliveryActivities,
  type Progress,
  type Unsettled,
} from '../delivery.ts';
import type { Logger } from '../log.ts';
import type { AttemptDeps } from './attempt.ts';

/** When a delivery that others may make is handed out again. */
const handBackMs = 1_000;

/**
 * The delivery activities of a destination that is not configured any more: what they are given parks
 * with that reason, with the outcomes that were reached before.
 * @param isServed whether another process works on the destination after all
 */
export const createRetired = ({
  readBatch,
  isServed,
  log,
  context,
}: {
  readBatch: AttemptDeps['readBatch'];
  isServed: () => Promise<boolean>;
  log: Logger;
  context: () => Context;
}): DeliveryActivities => ({
  deliver: async ({ destination, unsettled }) => {
    const { info } = context();
    if (await isServed()) {
      throw ApplicationFailure.create({
        message: `Another process has ${destination}`,
        type: 'Drained',
        nextRetryDelay: handBackMs,
      });
    }
    const batch = info.workflowExecution!;
    const checkpoint = info.heartbeatDetails as Progress | undefined;
    const parts: Unsettled[] = checkpoint?.unsettled ??
      unsettled ?? [{ connection: destination, events: [0, (await readBatch(batch)).length] }];
    log.warn({ batch: batch.workflowId, destination, parked: 'removed' }, 'parked');
    return {
      receipt: checkpoint?.receipt ?? emptyReceipt(),
      unsettled: parts.map((part) => ({
        ...part,
        reason: `${destination} is not configured any more`,
        code: 'removed',
        parked: 'removed',
      })),
    };
  },
});
