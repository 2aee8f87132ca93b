import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf } from '../process-table.ts';
import { UserError } from '../user-error.ts';
import { untilServing } from './health.ts';
import type { Ports } from './ports.ts';
import type { ServerLog } from './server-log.ts';

/** A server's process, which may have ended. */
export interface ServerProcess {
  pid: number;
  /** Tells it from a later process of the same pid. */
  identity: string | undefined;
}

/** A server that serves, or did. */
export interface Server extends ServerProcess {
  ports: Ports;
  /** Resolves, with how, when it has ended. */
  ended: Promise<string>;
}

/** A port was taken between choosing and using it. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';
}

/** Generous: after a hard kill the database may have much to put in order. */
const startLimitMs = 60_000;
/** A server ends at once where its port is taken, so one that has lived for so long has it. */
const boundAfterMs = 3_000;
const adoptionLimitMs = 10_000;
const stopLimitMs = 10_000;
const killLimitMs = 5_000;
const pollMs = 20;
const watchMs = 500;

export const addressOf = ({ port }: Ports): string => `127.0.0.1:${port}`;

/** What the server needs of our environment, which holds secrets that are none of its business. */
const inherited = ['HOME', 'PATH', 'TMPDIR', 'TZ', 'USER', 'GOGC', 'GOMAXPROCS', 'GOMEMLIMIT'];

const whyItFailed = (how: string, output: string, log: ServerLog, dbFile: string | undefined) => {
  if (/address already in use|can't (set|use default) .*port \d+/i.test(output)) {
    return new PortTaken(output.trim());
  }
  const isDamaged = /not a database|malformed|no such (table|column)/i.test(output);
  const lines = output.trim().split('\n').slice(-5);
  return new UserError(
    [
      isDamaged && dbFile !== undefined
        ? `Temporal cannot read its database ${dbFile}: it is damaged, or another program's. ` +
          'Put a backup in its place; or move it away, to begin without the events it holds.'
        : `The embedded Temporal server did not start (${how}).`,
      `The end of its log, ${log.file}:`,
      ...lines.map((line) => `  ${line}`),
    ].join('\n'),
  );
};

export interface StartOptions {
  program: string;
  args: readonly string[];
  ports: Ports;
  /** Where it runs. */
  directory: string;
  /** For messages. */
  dbFile: string | undefined;
  log: ServerLog;
  env: NodeJS.ProcessEnv;
  /** Called at once: from then on the server may outlive us. */
  onSpawn: (server: ServerProcess) => void;
}

/**
 * Starts a server and waits until it serves. It gets a session of its own, so that a Ctrl-C reaches
 * us alone, who then drain before stopping it.
 * @throws PortTaken, or UserError with the end of its log where it ended or does not serve in time
 */
export const startServer = async (options: StartOptions): Promise<Server> => {
  const { program, args, ports, directory, dbFile, log, env } = options;
  const logStart = log.size();
  const output = log.open();
  const child = spawn(program, args, {
    cwd: directory,
    detached: true,
    stdio: ['ignore', output, output],
    env: Object.fromEntries(inherited.map((name) => [name, env[name]])),
  });
  closeSync(output);
  child.unref();
  let end: string | undefined;
  const gone = new AbortController();
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${String(code)}`));
  });
  void ended.then((how) => {
    end = how;
    gone.abort();
  });
  const { pid } = child;
  if (pid === undefined) throw whyItFailed(await ended, '', log, dbFile);
  const server = { pid, identity: identityOf(pid) };
  try {
    options.onSpawn(server);
  } catch (error) {
    await endServer(server);
    throw error;
  }

  const boundBy = performance.now() + boundAfterMs;
  const runs = () => end === undefined;
  // Where its port was taken another server answers there, so ours must say itself that it is up.
  const upLine = new RegExp(`Server:\\s+\\S+:${ports.port}\\b`);
  const isUp = () => performance.now() > boundBy || upLine.test(log.textFrom(logStart));
  const giveUp = AbortSignal.any([gone.signal, AbortSignal.timeout(startLimitMs)]);
  const serves = await untilServing(addressOf(ports), giveUp);
  while (serves && runs() && !isUp()) await sleep(pollMs);
  if (serves && runs()) return { ...server, ports, ended };

  await endServer(server);
  const how = end ?? `it did not serve within ${startLimitMs / 1_000} s`;
  throw whyItFailed(how, log.textFrom(logStart), log, dbFile);
};

/** Takes over a server that is not our child; undefined where it does not serve in time. */
export const adoptServer = async (
  server: ServerProcess,
  ports: Ports,
): Promise<Server | undefined> => {
  const gone = new AbortController();
  const ended = new Promise<string>((resolve) => {
    const timer = setInterval(() => {
      if (server.identity !== undefined && identityOf(server.pid) === server.identity) return;
      clearInterval(timer);
      gone.abort();
      resolve('unknown how');
    }, watchMs).unref();
  });
  const giveUp = AbortSignal.any([gone.signal, AbortSignal.timeout(adoptionLimitMs)]);
  if (!(await untilServing(addressOf(ports), giveUp))) return undefined;
  return { ...server, ports, ended };
};

const signal = (pid: number, name: NodeJS.Signals): void => {
  // Its process group where it leads one: the program may be a wrapper of the server itself.
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, name);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPERM') {
        throw new UserError(
          `Process ${pid}, a Temporal server on this data directory, belongs to another user. ` +
            'Have it stopped.',
        );
      }
    }
  }
};

/**
 * Ends a server, by force where it takes too long, and resolves once its process is gone.
 * @param how `at once` spares it the second or two that it takes to end in order
 * @throws UserError where that is not allowed, or not even force helps
 */
export const endServer = async (
  { pid, identity }: ServerProcess,
  how: 'in order' | 'at once' = 'in order',
): Promise<void> => {
  const isGone = () => identity === undefined || identityOf(pid) !== identity;
  const steps = [
    { name: 'SIGTERM', limitMs: stopLimitMs },
    { name: 'SIGKILL', limitMs: killLimitMs },
  ] as const;
  for (const { name, limitMs } of how === 'in order' ? steps : steps.slice(1)) {
    if (isGone()) return;
    signal(pid, name);
    const limit = performance.now() + limitMs;
    while (performance.now() < limit) {
      if (isGone()) return;
      await sleep(pollMs);
    }
  }
  throw new UserError(`Process ${pid}, a Temporal server, does not end. See what holds it.`);
};
