import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createFolder, runCommand, temporalPid, type Folder } from '../support/product.ts';
import { eventually } from '../support/eventually.ts';

let folder: Folder;
beforeEach(() => {
  folder = createFolder();
});
afterEach(() => folder.remove());

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('one Ctrl-C on `npm start` stops all of it orderly, Temporal last', async () => {
  const config = folder.config({ sources: [{ name: 'website', writeKey: 'key' }] });
  const root = resolve(import.meta.dirname, '../..');
  const product = runCommand(
    'npm',
    ['start', '--', '--config', config, '--port', '0', '--data-dir', `${folder.path}/data`],
    { cwd: root, env: { TEMPORAL_ADDRESS: undefined } },
  );
  await eventually(() => expect(product.stdout()).toContain('Post events to'), 60_000);
  const server = temporalPid(folder);
  // As a terminal does: to every process of the group, npm's among them, which passes it on.
  process.kill(-product.pid, 'SIGINT');
  await product.exited;
  expect(product.stderr()).toContain('"stopped"');
  expect(isAlive(server)).toBe(false);
}, 120_000);
