import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The first run of a 250 MB file from a cold disk takes its time. */
const limitMs = 30_000;
/** The first server with priorities in its task queues. */
const oldest = [1, 28] as const;

/**
 * Why a file cannot serve as the `temporal` program, in words that follow its name; undefined where
 * it can.
 */
export const whyUnusable = async (
  path: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> => {
  let text: string;
  try {
    if (!statSync(path).isFile()) return 'is not a file';
    accessSync(path, constants.X_OK);
    const { stdout } = await run(path, ['--version'], {
      env: { HOME: env['HOME'], PATH: env['PATH'] },
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    text = stdout;
  } catch (error) {
    const { code, killed } = error as { code?: string | number | null; killed?: boolean };
    if (code === 'ENOENT') return 'does not exist';
    if (code === 'EACCES') return 'may not be run';
    if (killed === true) return `did not answer --version within ${limitMs / 1_000} s`;
    return typeof code === 'number'
      ? `does not run (--version ended with exit code ${code})`
      : `does not run (${code ?? 'it was killed'})`;
  }
  const [, major, minor] = /\bserver (\d+)\.(\d+)/i.exec(text) ?? [];
  if (major === undefined || minor === undefined) return 'is not the Temporal CLI';
  const isOld =
    Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1]);
  return isOld
    ? `is too old (its server is ${major}.${minor}; ${oldest.join('.')} or newer is needed)`
    : undefined;
};
