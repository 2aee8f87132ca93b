import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Of clients and workers with keys: what a failure says, partners' words among it, goes into a payload,
 * which the codec encrypts. Loaded by path and by `require`.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
