import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { lockDataDir } from '../../src/data-dir.ts';
import { UserError } from '../../src/user-error.ts';

let base: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'distributary-test-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(base, { recursive: true });
});

/** Which of the directories another process got; it holds them until it is killed. */
const lockElsewhere = async (firstAt: number, directories: readonly string[]) => {
  const script = resolve(import.meta.dirname, '../support/lock-child.mjs');
  const child = spawn(process.execPath, [script, String(firstAt), ...directories], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, got: JSON.parse(text.toString()) as boolean[] };
};

const refusal = (directory: string): string => {
  try {
    lockDataDir(directory);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message;
  }
  throw new Error('it was not refused');
};

test('makes the directory, for its owner alone', () => {
  const lock = lockDataDir(join(base, 'a/b'));
  expect(statSync(join(base, 'a/b')).mode & 0o777).toBe(0o700);
  expect(lock.path).toMatch(/a\/b$/);
});

test('lets nobody in twice, and anybody after the release', () => {
  const lock = lockDataDir(base);
  expect(refusal(base)).toMatch(`in use by process ${process.pid}`);
  lock.release();
  const next = lockDataDir(base);
  lock.release(); // once more, which must not free what is another's now
  expect(refusal(base)).toMatch('--data-dir');
  next.release();
  expect(readdirSync(base)).toHaveLength(1);
});

test('names the process that has it, and takes over from one that was killed', async () => {
  const { child, got } = await lockElsewhere(0, [base]);
  expect(got).toEqual([true]);
  expect(refusal(base)).toMatch(`in use by process ${child.pid!}.`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(lockDataDir(base).path).not.toBe('');
});

test('takes over from an ended process whose pid another has by now', () => {
  symlinkSync(`${process.pid}:an-earlier-one`, join(base, 'lock.7'));
  expect(lockDataDir(base).path).not.toBe('');
  expect(readdirSync(base)).toEqual(['lock.8']);
});

test('goes to exactly one of several that find a lock whose process has ended', async () => {
  const directories = Array.from({ length: 100 }, (_, at) => join(base, String(at)));
  const { child } = await lockElsewhere(0, directories);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const firstAt = Date.now() + 700; // when all of them have started
  const rivals = await Promise.all(
    Array.from({ length: 3 }, () => lockElsewhere(firstAt, directories)),
  );
  const winners = directories.map((_, at) => rivals.filter(({ got }) => got[at]).length);
  expect(winners).toEqual(directories.map(() => 1));
});

test('says what to do where the directory cannot be had', () => {
  const file = join(base, 'file');
  writeFileSync(file, '');
  expect(refusal(join(file, 'data'))).toMatch(/data cannot be used \(ENOTDIR\)\. .*--data-dir/);
});
