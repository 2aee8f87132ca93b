import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A running process: its command line is its arguments joined by spaces. */
interface RunningProcess {
  pid: number;
  command: string;
}

/** What the system says of its processes. A zombie has ended: it is not listed and has no identity. */
export interface ProcessTable {
  /**
   * Tells a process from any later one of the same pid: letters, digits and dashes.
   * @returns undefined where no such process runs
   */
  identityOf: (pid: number) => string | undefined;
  list: () => RunningProcess[];
}

const readText = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // the process has ended
  }
};

/** Linux. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export const procTable: ProcessTable = {
  identityOf: (pid) => {
    const stat = readText(`/proc/${pid}/stat`);
    if (stat === undefined) return undefined;
    // The second field is the program's name in parentheses, and may itself hold both.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    const startTicks = fields[19]; // since the system's start, so it repeats from one to the next
    if (state === 'Z' || state === 'X') return undefined;
    const boot = readText('/proc/sys/kernel/random/boot_id')?.slice(0, 8) ?? '';
    return `${boot}-${String(startTicks)}`;
  },
  list: () =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const command = readText(`/proc/${name}/cmdline`)?.replaceAll('\0', ' ').trim() ?? '';
        return command === '' ? [] : [{ pid: Number(name), command }];
      }),
};

const ps = (args: readonly string[]): string => {
  try {
    return execFileSync('ps', args, {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 64 * 1024 * 1024,
    });
  } catch {
    return ''; // no process matches
  }
};

/** macOS, and whatever else has a POSIX `ps` with `lstart`. */
export const psTable: ProcessTable = {
  identityOf: (pid) => {
    const [state, ...started] = ps(['-o', 'stat=,lstart=', '-p', String(pid)])
      .trim()
      .split(/\s+/);
    return state === undefined || state === '' || state.startsWith('Z')
      ? undefined
      : started.join('-').replace(/[^\w-]/g, '');
  },
  list: () =>
    ps(['-axww', '-o', 'pid=,command='])
      .split('\n')
      .flatMap((line) => {
        const [, pid, command] = /^\s*(\d+)\s+(.*\S)/.exec(line) ?? [];
        return pid === undefined || command === undefined ? [] : [{ pid: Number(pid), command }];
      }),
};

export const { identityOf, list: runningProcesses } =
  process.platform === 'linux' ? procTable : psTable;
