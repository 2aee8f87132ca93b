import {
  DefaultFailureConverter,
  type FailureConverter,
  type PayloadConverter,
  type ProtoFailure,
} from '@temporalio/common';
import { hasSealedEvents } from './payload-converter.ts';

const readable = new DefaultFailureConverter();
const encoded = new DefaultFailureConverter({ encodeCommonAttributes: true });

/**
 * Of the workflow sandbox, whose bundle is built before anybody knows of keys: a workflow whose events
 * are encrypted keeps what its failures say out of sight too. Its module is the workflow's own.
 */
export const failureConverter: FailureConverter = {
  errorToFailure: (error: unknown, converter: PayloadConverter): ProtoFailure =>
    (hasSealedEvents() ? encoded : readable).errorToFailure(error, converter),
  failureToError: (failure: ProtoFailure, converter: PayloadConverter): Error =>
    readable.failureToError(failure, converter),
};
