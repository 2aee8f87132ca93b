import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { identityOf } from './process-table.ts';
import { UserError } from './user-error.ts';

/** A directory that is this process's alone until it is released. */
export interface Lock {
  /** Absolute, and free of symbolic links. */
  path: string;
  /** May be called again. */
  release: () => void;
}

/**
 * A lock is a chain of symbolic links, `lock.1`, `lock.2`, …, each naming its holder by pid and
 * identity. A link is made whole or not at all, and only where its name is free. The highest number
 * decides and is never removed while it is the highest: whoever finds its holder ended makes the
 * next number, so of several that find the same, one wins. A kill leaves nothing to clean up.
 */
const linkName = /^lock\.(\d+)$/;
const free = 'free';

const numbers = (directory: string): number[] =>
  readdirSync(directory).flatMap((name) => {
    const number = linkName.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** The pid of a link's holder where it still runs. */
const holderOf = (link: string): number | undefined => {
  let text: string;
  try {
    text = readlinkSync(link);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined; // superseded since it was listed
    throw error;
  }
  const [, pid, identity] = /^(\d+):(.*)$/.exec(text) ?? [];
  return pid !== undefined && identityOf(Number(pid)) === identity ? Number(pid) : undefined;
};

/**
 * Takes a directory for this process, or answers the pid of the process that has it. A holder that
 * ended in whatever way has it no more.
 * @param directory must exist, on a file system that has symbolic links
 * @throws NodeJS.ErrnoException where the directory cannot be read or written
 */
export const takeLock = (directory: string): Lock | number => {
  const path = realpathSync(directory);
  const link = (number: number) => join(path, `lock.${number}`);
  const make = (number: number, text: string): boolean => {
    try {
      symlinkSync(text, link(number));
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  };
  const remove = (number: number) => rmSync(link(number), { force: true });

  for (;;) {
    const last = Math.max(0, ...numbers(path));
    const holder = last === 0 ? undefined : holderOf(link(last));
    if (holder !== undefined) return holder;
    const mine = last + 1;
    if (!make(mine, `${process.pid}:${String(identityOf(process.pid))}`)) continue;
    const all = numbers(path);
    if (Math.max(...all) > mine) {
      remove(mine); // others went on in the meantime, and removed the links that led here
      continue;
    }
    for (const number of all) if (number < mine) remove(number);
    let held = true;
    return {
      path,
      release: () => {
        if (!held) return;
        held = false;
        make(mine + 1, free);
        remove(mine);
      },
    };
  }
};

/**
 * Makes the data directory, readable by its owner alone, and takes it for this process.
 * @throws UserError where another process has it, or it cannot be written
 */
export const lockDataDir = (directory: string): Lock => {
  const place = resolve(directory);
  let lock: Lock | number;
  try {
    mkdirSync(place, { recursive: true, mode: 0o700 });
    accessSync(place, constants.W_OK | constants.X_OK);
    lock = takeLock(place);
  } catch (error) {
    throw new UserError(
      `The data directory ${place} cannot be used (${codeOf(error) ?? String(error)}). ` +
        'Make it writable, or name another with --data-dir DIR.',
    );
  }
  if (typeof lock === 'number') {
    throw new UserError(
      `The data directory ${place} is in use by process ${lock}. ` +
        'Stop that process, or give this one a directory of its own with --data-dir DIR.',
    );
  }
  return lock;
};
