import { cpSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createFolder, runCommand, type Folder } from './support/product.ts';

const root = resolve(import.meta.dirname, '..');

let folder: Folder;
beforeEach(() => {
  folder = createFolder();
});
afterEach(() => folder.remove());

const launch = async (clone: string) => {
  const args = [join(clone, 'bin/distributary.js'), 'destinations'];
  const { exited, stdout, stderr } = runCommand(process.execPath, args, { cwd: folder.path });
  return { code: await exited, stdout: stdout(), stderr: stderr() };
};

test('the command of a clone that is not built yet says what to do', async () => {
  for (const file of ['package.json', 'bin']) {
    cpSync(join(root, file), join(folder.path, file), { recursive: true });
  }
  expect(await launch(folder.path)).toEqual({
    code: 2,
    stdout: '',
    stderr: 'Distributary is not built yet: run `npm run build` first.\n',
  });
});

test('the command of a clone that is built runs', async () => {
  const { code, stdout } = await launch(root);
  expect(code).toBe(0);
  expect(stdout).toContain('mixpanel');
});
