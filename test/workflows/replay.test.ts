import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Worker } from '@temporalio/worker';
import { createDataConverter } from '../../src/temporal/data-converter.ts';
import { workflowBundle } from '../support/road.ts';

// Recorded by test/workflows/deliver-batch.test.ts; a change that breaks one would break batches
// that are under way in the field.
const folder = resolve(import.meta.dirname, 'histories');

const read = (file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>;
const replay = (history: unknown): Promise<void> =>
  Worker.runReplayHistory(
    { workflowBundle: { codePath: workflowBundle }, dataConverter: createDataConverter([]) },
    history,
  );

test.each(readdirSync(folder))('%s replays', async (file) => {
  await expect(replay(read(file))).resolves.toBeUndefined();
});

test('a history of another workflow code does not replay', async () => {
  // As if the code of its day had sent the batch by an activity of another name.
  const other = JSON.stringify(read('delivered.json')).replaceAll('"deliver"', '"forward"');
  await expect(replay(JSON.parse(other))).rejects.toThrow(DeterminismViolationError);
});
