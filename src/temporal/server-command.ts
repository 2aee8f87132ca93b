import { searchAttributes } from '../delivery.ts';
import type { Ports } from './ports.ts';

/** What an embedded server is started with, beside its ports. */
export interface ServerSettings {
  /** Absolute path of the database; absent: in memory, and gone with the process. */
  dbFile?: string;
  /** Made beside `default`, with the same search attributes. */
  namespace?: string;
  /** Where the Web UI and the CLI have payloads decoded. */
  codecEndpoint?: string;
  /** Server settings by key, over and above ours. */
  dynamicConfig?: Readonly<Record<string, string | number | boolean>>;
}

/**
 * Priorities need the new matcher. The rates are ten times the server's, which are made for one node
 * of a cluster: here the machine is the limit, and a refused call costs a second of waiting.
 * https://github.com/temporalio/temporal/blob/v1.29.1/common/dynamicconfig/constants.go
 */
const dynamicConfig = {
  'matching.useNewMatcher': true,
  'frontend.rps': 24_000,
  'frontend.namespaceRPS': 24_000,
  'matching.rps': 12_000,
  'matching.persistenceMaxQPS': 30_000,
  'history.rps': 30_000,
};

/** The program's arguments. The ports come first, so that the rest is equal for equal settings. */
export const serverArguments = (settings: ServerSettings, { port, uiPort }: Ports): string[] => {
  const each = (flag: string, values: Readonly<Record<string, unknown>>) =>
    Object.entries(values).flatMap(([key, value]) => [flag, `${key}=${JSON.stringify(value)}`]);
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...['--log-level', 'warn'],
    ...(settings.dbFile === undefined
      ? []
      : [
          ...['--db-filename', settings.dbFile],
          // Twice as fast as the defaults, and whole after the death of any process.
          ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
        ]),
    ...(settings.namespace === undefined ? [] : ['--namespace', settings.namespace]),
    ...(settings.codecEndpoint === undefined
      ? []
      : ['--ui-codec-endpoint', settings.codecEndpoint]),
    ...Object.entries(searchAttributes).flatMap(([name, type]) => [
      '--search-attribute',
      `${name}=${type}`,
    ]),
    ...each('--dynamic-config-value', { ...dynamicConfig, ...settings.dynamicConfig }),
  ];
};

const portPattern = /--port (\d+)/;
const uiPortPattern = /--ui-port (\d+)/;

/** Whether a command line is a development server's on this very database. */
export const usesDatabase = (command: string, dbFile: string): boolean =>
  command.includes(' server start-dev ') &&
  ['--db-filename ', '--db-filename=', '-f ', '-f='].some((flag) =>
    `${command} `.includes(` ${flag}${dbFile} `),
  );

/**
 * The ports of a server that was started with these settings, by its command line.
 * @returns undefined where any other argument differs
 */
export const portsIfSame = (command: string, settings: ServerSettings, ui: boolean) => {
  const port = Number(portPattern.exec(command)?.[1]);
  const uiPort = Number(uiPortPattern.exec(command)?.[1]);
  const ports: Ports = { port, ...(ui && { uiPort }) };
  const [, given] = command.split(/(?= server start-dev )/);
  return given?.trim() === serverArguments(settings, ports).join(' ') ? ports : undefined;
};
