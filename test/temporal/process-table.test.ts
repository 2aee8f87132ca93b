import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from '@jest/globals';
import { procTable, psTable } from '../../src/process-table.ts';
import { eventually } from '../support/eventually.ts';

const tables = process.platform === 'linux' ? { procTable, psTable } : { psTable };

let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill('SIGKILL');
});

/** The first line that a shell script prints. */
const firstLine = async (script: string): Promise<string> => {
  child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [text] = (await once(child.stdout!, 'data')) as [Buffer];
  return text.toString().trim();
};

describe.each(Object.entries(tables))('%s', (_, table) => {
  test('knows a running process by the same identity each time', async () => {
    await firstLine('echo up; exec sleep 60');
    const identity = table.identityOf(child!.pid!);
    expect(identity).toMatch(/^[\w-]+$/);
    expect(table.identityOf(child!.pid!)).toBe(identity);
    expect(table.identityOf(process.pid)).not.toBe(undefined);
  });

  test('knows no process that has ended', async () => {
    await firstLine('echo up; exec sleep 60');
    child!.kill('SIGKILL');
    await once(child!, 'exit');
    expect(table.identityOf(child!.pid!)).toBe(undefined);
  });

  test('takes a zombie for ended', async () => {
    // The child ends when `sleep` has taken its parent's place, which never asks after it.
    const zombie = Number(await firstLine('sleep 0.3 & echo $!; exec sleep 60'));
    await eventually(() => {
      expect(table.identityOf(zombie)).toBe(undefined);
    });
    expect(() => process.kill(zombie, 0)).not.toThrow();
  });

  test('lists a process with its arguments', async () => {
    await firstLine('echo up; exec sleep 61.25');
    await eventually(() => {
      const ours = table.list().filter(({ pid }) => pid === child!.pid);
      expect(ours).toEqual([{ pid: child!.pid, command: 'sleep 61.25' }]);
    });
  });
});
