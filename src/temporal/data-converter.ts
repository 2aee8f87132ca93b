import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';

const converter = import.meta.url.replace(/data-converter(\.\w+)$/, 'payload-converter$1');

/** How values cross Temporal, for every client and every worker. */
export const dataConverter: DataConverter = { payloadConverterPath: fileURLToPath(converter) };
