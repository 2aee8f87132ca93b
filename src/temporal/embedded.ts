import type { Logger } from '../log.ts';
import { identityOf, runningProcesses } from '../process-table.ts';
import { UserError } from '../user-error.ts';
import { keepRunning } from './keep-running.ts';
import type { Ailments } from './pollers.ts';
import { choosePort, type Ports } from './ports.ts';
import {
  portsIfSame,
  serverArguments,
  usesDatabase,
  type ServerSettings,
} from './server-command.ts';
import { createServerPlace } from './server-place.ts';
import {
  addressOf,
  adoptServer,
  endServer,
  PortTaken,
  startServer,
  type Server,
  type ServerProcess,
} from './server-process.ts';

export interface EmbeddedOptions extends Omit<ServerSettings, 'dbFile'> {
  /** Path of the `temporal` program. */
  program: string;
  /** Absolute path of a directory that this process has locked; absent: all is kept in memory. */
  dataDir?: string;
  /** Whether to serve the Web UI. */
  ui: boolean;
  /** Taken where a killed process's are not to be had; else any are. 0 is any. */
  preferredPort?: number;
  preferredUiPort?: number;
  /** Of this process; the server gets none of its secrets. */
  env: NodeJS.ProcessEnv;
  log: Logger;
}

/** A Temporal server of our own. */
export interface EmbeddedTemporal {
  /** Host and port; they stay, also when the server is restarted. */
  address: string;
  uiUrl?: string;
  /** Of the server as it is now. */
  pid: () => number;
  /** Whether it was found running, left by a process that was killed. */
  adopted: boolean;
  /** What is wrong with it although it answers, and what to do; empty: nothing. */
  ailments: () => Ailments;
  /** Resolves, with what to tell the user, when the server has ended and cannot be restarted. */
  lost: Promise<UserError>;
  /** Ends the server; resolves once it is gone. May be called again. */
  stop: () => Promise<void>;
}

const portTries = 5;
const checkMs = 10_000;
const databaseIsGone =
  "the file of Temporal's database was removed or replaced while it runs: what it holds is lost when " +
  'it ends. Send nothing more, let it deliver what it has, then stop and start again';

/**
 * Starts a Temporal server, or takes over the one that a killed process left on this data directory:
 * there are never two on one database. It outlives a kill of this process, and a Ctrl-C does not
 * reach it: `stop` ends it. Should it end by itself, it is restarted on the same ports, where
 * clients and workers find it again unaided.
 * @throws UserError where it cannot be started
 */
export const startEmbedded = async (options: EmbeddedOptions): Promise<EmbeddedTemporal> => {
  const { program, ui, env, log, preferredPort = 7233, preferredUiPort = 8233 } = options;
  const place = createServerPlace(options.dataDir);
  const { directory, dbFile } = place;
  const settings: ServerSettings = { ...options, ...(dbFile !== undefined && { dbFile }) };
  let current: ServerProcess | undefined;

  const note = (server: ServerProcess, ports: Ports) => {
    current = server;
    place.writeNote({ pid: server.pid, ...ports });
  };

  const start = async (ports: Ports): Promise<Server> => {
    const aside = place.prepareDatabase();
    if (aside !== undefined) {
      log.warn({ aside }, 'the last start was cut short; its unfinished database is moved aside');
    }
    place.log.keepSmall();
    const server = await startServer({
      program,
      args: serverArguments(settings, ports),
      ports,
      directory,
      dbFile,
      log: place.log,
      env,
      onSpawn: (spawned) => note(spawned, ports),
    });
    place.databaseIsMade();
    return server;
  };

  const adopt = async (): Promise<Server | undefined> => {
    if (dbFile === undefined) return undefined;
    const found = runningProcesses()
      .filter(({ command }) => usesDatabase(command, dbFile))
      .map(({ pid, command }) => ({ pid, command, identity: identityOf(pid) }));
    const [only] = found;
    const ports = only && found.length === 1 ? portsIfSame(only.command, settings, ui) : undefined;
    const server = only && ports && (await adoptServer(only, ports));
    if (server !== undefined) {
      note(server, server.ports);
      place.databaseIsMade();
      log.info({ pid: server.pid }, 'took over the Temporal server of a process that was killed');
      return server;
    }
    for (const leftOver of found) {
      log.warn({ pid: leftOver.pid }, 'ending a Temporal server left on this data directory');
      await endServer(leftOver);
    }
    return undefined;
  };

  const startAnywhere = async (): Promise<Server> => {
    const last = place.readNote();
    for (let tries = 1; ; tries++) {
      const port = await choosePort([last.port, preferredPort]);
      const ports = ui
        ? { port, uiPort: await choosePort([last.uiPort, preferredUiPort], port) }
        : { port };
      try {
        return await start(ports);
      } catch (error) {
        if (!(error instanceof PortTaken)) throw error;
        place.databaseIsMade(); // if at all: the server ended of itself
        log.warn({ ...ports }, 'a port for Temporal was taken in the last moment; trying others');
        if (tries === portTries) {
          throw new UserError(
            `The embedded Temporal server found its ports taken ${tries} times: ${error.message}`,
          );
        }
      }
    }
  };

  const adopted = await adopt();
  const first = adopted ?? (await startAnywhere());

  const stopping = new AbortController();
  const running = keepRunning(first, () => start(first.ports), stopping.signal, log);
  let isTold = false;
  const ailments = (): Ailments => {
    const isGone = place.isDatabaseGone();
    if (isGone && !isTold) log.error({ file: dbFile }, databaseIsGone);
    isTold = isGone;
    return isGone ? [databaseIsGone] : [];
  };
  const check = setInterval(() => {
    place.log.keepSmall();
    ailments();
  }, checkMs).unref();
  const stop = async (): Promise<void> => {
    stopping.abort();
    check.ref(); // a server's end alone does not keep this process waiting
    const how = dbFile === undefined ? 'at once' : 'in order'; // in memory there is nothing to lose
    if (current !== undefined) await endServer(current, how);
    await running;
    clearInterval(check);
    place.tidy();
  };

  const { uiPort } = first.ports;
  let stopped: Promise<void> | undefined;
  return {
    address: addressOf(first.ports),
    ...(uiPort !== undefined && { uiUrl: `http://127.0.0.1:${uiPort}` }),
    pid: () => current?.pid ?? first.pid,
    adopted: adopted !== undefined,
    ailments,
    lost: new Promise((resolve) => {
      void running.then((error) => {
        if (error !== undefined) resolve(error);
      });
    }),
    stop: () => (stopped ??= stop()),
  };
};
