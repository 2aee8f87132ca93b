import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import type { EncryptionKey } from '../encryption.ts';
import { createPayloadCodec } from './payload-codec.ts';

/** A module beside this one, by its path. */
const beside = (name: string): string =>
  fileURLToPath(import.meta.url.replace(/data-converter(\.\w+)$/, `${name}$1`));

/**
 * How values cross Temporal, for every client and every worker.
 * @param keys encrypt them, the first of these; without any they are compressed alone
 */
export const createDataConverter = (keys: readonly EncryptionKey[]): DataConverter => ({
  payloadConverterPath: beside('payload-converter'),
  payloadCodecs: [createPayloadCodec(keys)],
  ...(keys.length > 0 && { failureConverterPath: beside('failure-converter') }),
});
