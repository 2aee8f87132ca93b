import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { createServerLog, type ServerLog } from './server-log.ts';

/** What `temporal.json` says of the last server: for people, and a hint for the next start. */
const Note = z.object({ pid: z.number(), port: z.number(), uiPort: z.number().optional() });
type Note = z.infer<typeof Note>;

const noteOf = (directory: string): string => join(directory, 'temporal.json');

/** Where the server that runs on a data directory listens; empty where there is none. */
export const runningServer = (directory: string): Partial<Note> => {
  try {
    return Note.parse(JSON.parse(readFileSync(noteOf(directory), 'utf8')));
  } catch {
    return {};
  }
};

/** Tells a file from another that takes its place. */
const inodeOf = (file: string): string | undefined => {
  try {
    const { dev, ino } = statSync(file);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
};

/** All that an embedded server has on disk. */
export interface ServerPlace {
  directory: string;
  /** Absent: in memory. */
  dbFile?: string;
  log: ServerLog;
  /** Empty where there is none, or it cannot be read. */
  readNote: () => Partial<Note>;
  writeNote: (note: Note) => void;
  /**
   * To be called before each start. A server killed in its first tenth of a second leaves a
   * database that no server can open, and which holds nothing, as none has served it: it is moved aside.
   * @returns where to
   */
  prepareDatabase: () => string | undefined;
  /** To be called once a server has served the database. */
  databaseIsMade: () => void;
  /** Whether the file that is served is no longer where it was. SQLite goes on without it, and tells nobody. */
  isDatabaseGone: () => boolean;
  /** Removes what is of no use once the server is gone. */
  tidy: () => void;
}

/** @param dataDir absolute; absent: the server keeps all in memory, and its log in a temporary directory */
export const createServerPlace = (dataDir: string | undefined): ServerPlace => {
  const directory = dataDir ?? mkdtempSync(join(tmpdir(), 'distributary-temporal-'));
  const dbFile = dataDir && join(directory, 'temporal.db');
  const noteFile = noteOf(directory);
  const unfinished = join(directory, 'temporal.db.unfinished');
  let served: string | undefined;
  return {
    directory,
    ...(dbFile !== undefined && { dbFile }),
    log: createServerLog(join(directory, 'temporal.log')),
    readNote: () => runningServer(directory),
    writeNote: (note) => {
      writeFileSync(`${noteFile}.new`, `${JSON.stringify(note)}\n`, { mode: 0o600 });
      renameSync(`${noteFile}.new`, noteFile);
    },
    prepareDatabase: () => {
      if (dbFile === undefined) return undefined;
      let aside: string | undefined;
      if (existsSync(unfinished) && existsSync(dbFile)) {
        aside = `${dbFile}.unfinished-${Date.now()}`;
        for (const part of ['', '-wal', '-shm']) {
          if (existsSync(dbFile + part)) renameSync(dbFile + part, aside + part);
        }
      }
      if (!existsSync(dbFile)) writeFileSync(unfinished, '', { mode: 0o600 });
      return aside;
    },
    databaseIsMade: () => {
      if (dbFile !== undefined) served = inodeOf(dbFile);
      rmSync(unfinished, { force: true });
    },
    isDatabaseGone: () => {
      if (dbFile === undefined) return false;
      const found = inodeOf(dbFile);
      return found === undefined || found !== served;
    },
    tidy: () => {
      if (dataDir === undefined) rmSync(directory, { recursive: true, force: true });
      else rmSync(noteFile, { force: true });
    },
  };
};
