import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { takeLock, type Lock } from '../data-dir.ts';
import type { Logger } from '../log.ts';
import { UserError } from '../user-error.ts';
import { buildProgram, builtName } from './program-build.ts';
import { whyUnusable } from './program-check.ts';
import { downloadName, downloadProgram } from './program-download.ts';

/** The `temporal` program, which holds the server that we embed. */
export interface TemporalProgram {
  path: string;
  /** How it was found, in words. */
  found: string;
}

export interface ProgramOptions {
  env: NodeJS.ProcessEnv;
  log: Logger;
  /** Where what is fetched is kept. */
  cacheDir?: string;
  /** Where the SDK keeps, for all who use it, what it downloads. */
  sdkDir?: string;
}

const waitMs = 500;

const orDefault = (value: string | undefined, fallback: string): string =>
  value === undefined || value === '' ? fallback : value;

const defaultCacheDir = (env: NodeJS.ProcessEnv): string => {
  const home = orDefault(env['HOME'], homedir());
  return join(orDefault(env['XDG_CACHE_HOME'], join(home, '.cache')), 'distributary');
};

const statusOf = (path: string) => {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
};

/** Whether none but us and root can have put the file there: temporary directories are everybody's. */
const isOurs = (path: string): boolean => {
  const status = statusOf(path);
  return (
    status !== undefined &&
    (status.uid === 0 || status.uid === process.getuid?.()) &&
    (status.mode & 0o022) === 0
  );
};

const reasonOf = (error: unknown): string => (error as Error).message;

/** Takes the cache; waits while another process, which may be fetching the program, has it. */
const lockCache = async (cacheDir: string, log: Logger): Promise<Lock> => {
  mkdirSync(cacheDir, { recursive: true });
  for (let waits = 0; ; waits++) {
    const lock = takeLock(cacheDir);
    if (typeof lock !== 'number') return lock;
    if (waits === 0)
      log.info({ pid: lock }, 'waiting for a process that gets the temporal program');
    await sleep(waitMs);
  }
};

/**
 * Finds a `temporal` program, or else gets one. In this order: `TEMPORAL_CLI_PATH`; PATH; our cache;
 * the SDK's download; `go install`, which takes minutes, once. What is got goes to the cache, whole
 * or not at all.
 * @throws UserError where `TEMPORAL_CLI_PATH` is of no use, or no way works: with all ways' remedies
 */
export const findTemporalProgram = async ({
  env,
  log,
  cacheDir = defaultCacheDir(env),
  sdkDir = tmpdir(),
}: ProgramOptions): Promise<TemporalProgram> => {
  const named = env['TEMPORAL_CLI_PATH'] ?? '';
  if (named !== '') {
    const path = resolve(named);
    const reason = await whyUnusable(path, env);
    if (reason === undefined) return { path, found: 'TEMPORAL_CLI_PATH' };
    throw new UserError(
      `TEMPORAL_CLI_PATH names ${path}, which ${reason}. ` +
        'Set it to the Temporal CLI, or unset it to have one found.',
    );
  }

  const problems: Record<'path' | 'cache' | 'sdk' | 'go', string[]> = {
    path: [],
    cache: [],
    sdk: [],
    go: [],
  };
  /** The first of these that is usable; why others are not goes to the problems. */
  const firstUsable = async (found: string, paths: readonly string[], reasons: string[]) => {
    for (const path of paths) {
      if (statusOf(path) === undefined) continue;
      const reason = await whyUnusable(path, env);
      if (reason === undefined) return { path, found };
      reasons.push(`${path} ${reason}`);
    }
    return undefined;
  };
  const inCache = () =>
    firstUsable(
      'our cache',
      [builtName, downloadName].map((name) => join(cacheDir, name)),
      problems.cache,
    );

  const directories = (env['PATH'] ?? '').split(delimiter).filter((path) => path !== '');
  const onPath = directories.map((directory) => resolve(directory, 'temporal'));
  const bySdk = [join(sdkDir, downloadName)].filter(isOurs);
  const present =
    (await firstUsable('PATH', onPath, problems.path)) ??
    (await inCache()) ??
    (await firstUsable("the Temporal SDK's download", bySdk, problems.sdk));
  if (present !== undefined) return present;

  let lock: Lock | undefined;
  let workDir: string | undefined;
  const keep = async (path: string, name: string, found: string): Promise<TemporalProgram> => {
    const reason = await whyUnusable(path, env);
    if (reason !== undefined) throw new Error(`what it gave ${reason}`);
    const kept = join(cacheDir, name);
    renameSync(path, kept);
    return { path: kept, found };
  };
  try {
    lock = await lockCache(cacheDir, log);
    const fetched = await inCache();
    if (fetched !== undefined) return fetched;
    for (const name of readdirSync(cacheDir)) {
      // Of processes that were killed, for we hold the lock.
      if (name.startsWith('getting-')) rmSync(join(cacheDir, name), { recursive: true });
    }
    workDir = mkdtempSync(join(cacheDir, 'getting-'));
    log.info('there is no temporal program here; asking the Temporal SDK to download one');
    try {
      const path = await downloadProgram(workDir, env);
      return await keep(path, downloadName, "the Temporal SDK's download");
    } catch (error) {
      problems.sdk.push(reasonOf(error));
    }
    try {
      return await keep(await buildProgram(workDir, env, log), builtName, 'go install');
    } catch (error) {
      problems.go.push(reasonOf(error));
    }
  } catch (error) {
    problems.cache.push(`${cacheDir} cannot be used: ${reasonOf(error)}`);
  } finally {
    if (workDir !== undefined) rmSync(workDir, { recursive: true, force: true });
    lock?.release();
  }

  const say = (reasons: readonly string[], none: string) =>
    `(${reasons.length === 0 ? none : reasons.join('; ')})`;
  const notTried = problems.cache.join('; ') || 'not tried';
  throw new UserError(
    [
      'There is no Temporal to run on. Any one of these provides it:',
      '  1. A Temporal server: set TEMPORAL_ADDRESS to its host:port. (it is not set)',
      '  2. The Temporal CLI, https://docs.temporal.io/cli: install it on PATH, or set TEMPORAL_CLI_PATH to it. ' +
        say(problems.path, 'there is no temporal on PATH'),
      '  3. Its download by the Temporal SDK: let this machine reach temporal.download. ' +
        say(problems.sdk, notTried),
      '  4. Its build from source: install Go, https://go.dev/dl, and let it download modules. ' +
        say(problems.go, notTried),
    ].join('\n'),
  );
};
