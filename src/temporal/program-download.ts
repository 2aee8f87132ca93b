import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const sdkName = 'sdk-typescript';
const load = createRequire(import.meta.url);
const { version: sdkVersion } = load('@temporalio/worker/package.json') as { version: string };

/** How the SDK names what it downloads. */
export const downloadName = `temporal-${sdkName}-${sdkVersion}`;

const checkMs = 500;
const dayMs = 86_400_000;

/**
 * The SDK downloads only where it is to start a server, so a short-lived one is started, by another
 * process: one that hangs can be ended, and the SDK's runtime stays out of this one.
 */
const script = `
  const { Runtime } = require('@temporalio/worker');
  const runtime = Runtime.instance();
  runtime
    .createEphemeralServer(JSON.parse(process.argv[1]))
    .then((server) => runtime.shutdownEphemeralServer(server))
    .then(() => process.exit(0), (error) => {
      console.error(error.message);
      process.exit(1);
    });
`;

const bytesIn = (directory: string): number =>
  readdirSync(directory)
    .map((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);

/**
 * Has the SDK download the `temporal` program.
 * @param directory where to; nothing else may be in it
 * @param silenceLimitMs the SDK itself would wait for ever on a network that swallows what it is sent
 * @returns the file
 * @throws Error, in words, where that fails or comes to a standstill
 */
export const downloadProgram = async (
  directory: string,
  env: NodeJS.ProcessEnv,
  silenceLimitMs = 20_000,
): Promise<string> => {
  const server = {
    type: 'dev-server',
    exe: {
      type: 'cached-download',
      downloadDir: directory,
      version: 'default',
      ttl: dayMs,
      sdkName,
      sdkVersion,
    },
    namespace: 'default',
    ip: '127.0.0.1',
    port: null,
    uiPort: null,
    dbFilename: null,
    ui: false,
    log: { format: 'pretty', level: 'error' },
    extraArgs: [],
  };
  const child = spawn(process.execPath, ['-e', script, JSON.stringify(server)], {
    cwd: import.meta.dirname, // from where the script finds the SDK
    stdio: ['ignore', 'ignore', 'pipe'],
    env,
  });
  let output = '';
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));

  const silence = new AbortController();
  let bytes = 0;
  let progressAt = performance.now();
  const check = setInterval(() => {
    const now = bytesIn(directory);
    if (now !== bytes) progressAt = performance.now();
    bytes = now;
    if (performance.now() - progressAt > silenceLimitMs) {
      silence.abort();
      child.kill('SIGKILL');
    }
  }, checkMs);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code === 0) return join(directory, downloadName);
  } finally {
    clearInterval(check);
  }
  throw new Error(
    silence.signal.aborted
      ? `nothing came for ${silenceLimitMs / 1_000} s`
      : output.replace(/ for url \([^)]*\)/g, '').trim() || 'it ended without a word',
  );
};
