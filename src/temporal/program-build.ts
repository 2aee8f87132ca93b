import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from '../log.ts';

/** Newer ones cannot be built so: `go install` refuses a module that replaces others. */
const version = '1.5.1';
const goPackage = `github.com/temporalio/cli/cmd/temporal@v${version}`;
/** What the program is called in our cache. */
export const builtName = `temporal-${version}`;

const limitMs = 30 * 60_000;
const progressMs = 15_000;

/**
 * Builds the `temporal` program from source: 3 to 5 minutes, seconds once Go has it cached. What it
 * does is logged every 15 s.
 * @param directory where to
 * @returns the file
 * @throws Error, in words, where there is no Go or it fails
 */
export const buildProgram = async (
  directory: string,
  env: NodeJS.ProcessEnv,
  log: Logger,
): Promise<string> => {
  const started = performance.now();
  const child = spawn('go', ['install', '-v', goPackage], {
    // For another system than ours `go install` would choose another place.
    env: { ...env, GOBIN: directory, GOOS: undefined, GOARCH: undefined },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: AbortSignal.timeout(limitMs),
    killSignal: 'SIGKILL',
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  child.once('spawn', () =>
    log.info(
      `building the temporal program with Go; this takes 3 to 5 minutes, once: ${goPackage}`,
    ),
  );
  let lines = 0;
  let last = 'nothing said yet';
  createInterface(child.stderr).on('line', (line) => {
    lines += 1;
    last = line;
  });
  const seconds = () => Math.round((performance.now() - started) / 1_000);
  const progress = setInterval(
    () =>
      log.info({ seconds: seconds(), steps: lines, last }, 'still building the temporal program'),
    progressMs,
  );
  let code: number | null;
  try {
    [code] = await ended;
  } catch (error) {
    const { code: reason, message } = error as NodeJS.ErrnoException;
    const words: Record<string, string> = {
      ENOENT: 'there is no go on PATH',
      ABORT_ERR: `it was not done after ${limitMs / 60_000} minutes; the last word of go: ${last}`,
    };
    throw new Error(words[reason ?? ''] ?? message, { cause: error });
  } finally {
    clearInterval(progress);
  }
  if (code !== 0) throw new Error(`after ${seconds()} s go said: ${last}`);
  log.info({ seconds: seconds() }, 'the temporal program is built');
  return join(directory, 'temporal');
};
