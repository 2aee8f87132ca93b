import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from './eventually.ts';

const cli = resolve(import.meta.dirname, '../../dist/cli.js');

/** A folder of a test's own. */
export interface Folder {
  path: string;
  /** Writes a configuration (JSON is YAML too), and answers its path. */
  config: (config: unknown) => string;
  remove: () => void;
}

export const createFolder = (): Folder => {
  const path = mkdtempSync(join(tmpdir(), 'distributary-test-'));
  return {
    path,
    config: (config) => {
      const file = join(path, 'distributary.yaml');
      writeFileSync(file, JSON.stringify(config));
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  };
};

/** The product as its users run it: a process of the built command. */
export interface Product {
  /** What it has printed so far. */
  stdout: () => string;
  stderr: () => string;
  pid: number;
  kill: (signal: NodeJS.Signals) => void;
  /** Resolves with the exit code; null after a signal. */
  exited: Promise<number | null>;
}

export const runProduct = (
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string | undefined> },
): Product => runCommand(process.execPath, [cli, ...args], options);

/** Any command, as the product's own is run. */
export const runCommand = (
  command: string,
  args: readonly string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string | undefined> },
): Product => {
  const child: ChildProcess = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, as a shell gives it
  });
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    pid: child.pid!,
    kill: (signal) => child.kill(signal),
    exited: new Promise((exit) => child.once('close', (code) => exit(code))),
  };
};

/** `start` in a folder, on free ports or on this one, once it is ready. */
export const startProduct = async (
  folder: Folder,
  config: string,
  env: Record<string, string | undefined> = {},
  port = 0,
): Promise<Product & { url: string }> => {
  const args = [
    'start',
    '--config',
    config,
    '--port',
    String(port),
    '--data-dir',
    join(folder.path, 'data'),
  ];
  const product = runProduct(args, {
    cwd: folder.path,
    env: { TEMPORAL_ADDRESS: undefined, ...env },
  });
  let url = '';
  const ended = product.exited.then((code) => {
    throw new Error(`start ended with ${String(code)}:\n${product.stderr()}`);
  });
  ended.catch(() => undefined);
  await Promise.race([
    ended,
    eventually(() => {
      url = /Post events to\s+(http:\/\/[^/\s]+)/.exec(product.stdout())?.[1] ?? '';
      if (url === '') throw new Error(`not ready yet:\n${product.stdout()}${product.stderr()}`);
    }, 40_000),
  ]);
  return { ...product, url };
};

/** The pid of the embedded Temporal that a start noted. */
export const temporalPid = (folder: Folder): number =>
  (JSON.parse(readFileSync(join(folder.path, 'data', 'temporal.json'), 'utf8')) as { pid: number })
    .pid;
