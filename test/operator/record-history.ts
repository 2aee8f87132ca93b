import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

const root = resolve(import.meta.dirname, '../..');

/** Keeps a redrive's history for test/workflows/replay.test.ts: `RECORD_HISTORIES=1 npm test`. */
export const record = async (name: string, redrive: WorkflowHandle): Promise<void> => {
  if (process.env['RECORD_HISTORIES'] === undefined) return;
  const history = historyToJSON(await redrive.fetchHistory())
    .replace(/\b\d+@[\w.-]+/g, 'a-worker')
    .replaceAll(root, '/app');
  writeFileSync(join(root, 'test/workflows/histories', `${name}.json`), history);
};
