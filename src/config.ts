import { createSecretKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConfigFile, type DestinationEntry, type WrittenSettings } from './config-file.ts';
import type { RetryPolicy } from './delivery.ts';
import { destinationTypes } from './destinations/index.ts';
import { secretKeys, type DestinationType } from './destinations/define.ts';
import type { Connection, Destination } from './destinations/destination.ts';
import type { EncryptionKey } from './encryption.ts';
import { eventTypes, type EventType } from './event.ts';
import { privateAddresses } from './private-addresses.ts';
import { UserError } from './user-error.ts';

export interface Source {
  name: string;
  writeKey: string;
}

/** What a process runs by. Read once, at boot; never changed afterwards. */
export interface Config {
  sources: readonly Source[];
  destinations: readonly Destination[];
  /** Whether destinations may reach loopback, private and link-local addresses. */
  allowPrivate: boolean;
  /**
   * Whether proxies in front of the API name the clients, in `X-Forwarded-For`: its first address is
   * believed, or the one that so many proxies have seen.
   */
  trustProxy: boolean | number;
  /** Where `start` runs the partner sandbox, and what webhooks to it are signed with; absent: nowhere. */
  sandbox?: { port: number; webhookSecret?: string | undefined };
  /** All that crosses Temporal is encrypted with the first; none: it is readable there. */
  encryptionKeys: readonly EncryptionKey[];
  /** Lets operators in from elsewhere; absent: nobody. */
  operator?: { token: string };
}

const defaultRetry: RetryPolicy = {
  firstDelayMs: 1_000,
  factor: 2,
  maxDelayMs: 600_000,
  giveUpAfterMs: 4 * 3_600_000,
};
const defaultKeepMs = 14 * 24 * 3_600_000;
const defaultTimeoutMs = 10_000;

type Path = readonly PropertyKey[];
type Report = (path: Path, message: string) => void;

/** `['destinations', 0, 'settings']` → `destinations[0].settings` */
const pathText = (path: Path): string =>
  path.reduce<string>(
    (text, key) =>
      typeof key === 'number'
        ? `${text}[${key}]`
        : text === ''
          ? String(key)
          : `${text}.${String(key)}`,
    '',
  );

/** A schema's findings, each at the place that the writer has to mend; never the values found. */
const reportIssues = (error: z.ZodError | undefined, path: Path, report: Report): void => {
  for (const issue of error?.issues ?? []) {
    const at = [...path, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) report([...at, key], 'is not known here');
    } else if (issue.code === 'invalid_key') {
      report(at, issue.issues[0]?.message ?? issue.message);
    } else {
      report(at, issue.message.endsWith('received undefined') ? 'is missing' : issue.message);
    }
  }
};

/** Replaces `${VAR}` and `${VAR:-default}` in every string of a parsed document. */
const fillIn = (value: unknown, env: NodeJS.ProcessEnv, path: Path, report: Report): unknown => {
  if (typeof value === 'string') {
    return value.replace(
      /\$\{(\w+)(?::-([^}]*))?\}/g,
      (_, name: string, fallback: string | undefined) => {
        const found = env[name];
        if (found !== undefined && (found !== '' || fallback === undefined)) return found;
        if (fallback === undefined) report(path, `the environment variable ${name} is not set`);
        return fallback ?? '';
      },
    );
  }
  if (Array.isArray(value))
    return value.map((item, at) => fillIn(item, env, [...path, at], report));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, fillIn(item, env, [...path, key], report)]),
    );
  }
  return value;
};

const secretsOf = (type: DestinationType, settings: Record<string, unknown>): string[] =>
  secretKeys(type.settings)
    .map((key) => settings[key])
    .filter((value): value is string => typeof value === 'string' && value !== '');

const resolveConnection = (
  type: DestinationType,
  name: string,
  settings: Record<string, unknown>,
  events: readonly EventType[] | undefined,
  path: Path,
  report: Report,
): Connection | undefined => {
  const supported = eventTypes.filter((event) => type.events[event] !== undefined);
  for (const [at, event] of (events ?? []).entries()) {
    if (!supported.includes(event)) {
      report([...path, 'events', at], `${type.type} takes ${supported.join(', ')}, not ${event}`);
    }
  }
  const parsed = type.settings.safeParse(settings);
  reportIssues(parsed.error, [...path, 'settings'], report);
  if (!parsed.success) return undefined;
  return {
    name,
    settings: parsed.data,
    events: new Set(events ?? supported),
    secrets: secretsOf(type, parsed.data),
  };
};

const resolveDestination = (
  entry: DestinationEntry,
  written: WrittenSettings,
  sources: ReadonlySet<string>,
  path: Path,
  report: Report,
): Destination => {
  const type = destinationTypes.find((candidate) => candidate.type === entry.type)!;
  for (const [at, source] of (entry.sources ?? []).entries()) {
    if (!sources.has(source))
      report([...path, 'sources', at], `there is no source named ${source}`);
  }
  const own = new Map<string, Connection>();
  for (const [source, override] of Object.entries(entry.connections ?? {})) {
    const at = [...path, 'connections', source];
    if (!sources.has(source)) report(at, `there is no source named ${source}`);
    if (entry.sources !== undefined && !entry.sources.includes(source)) {
      report(at, `${source} is not among this destination's sources`);
    }
    const connection = resolveConnection(
      type,
      `${entry.name}/${source}`,
      { ...written.settings, ...written.connections?.[source]?.settings },
      override.events ?? entry.events,
      at,
      report,
    );
    if (connection !== undefined) own.set(source, connection);
  }
  // Without settings of its own a destination serves exactly the sources that have a connection.
  const connected = Object.keys(entry.connections ?? {});
  const needsShared = written.settings !== undefined || connected.length === 0;
  const shared = needsShared
    ? resolveConnection(type, entry.name, written.settings ?? {}, entry.events, path, report)
    : undefined;
  for (const [at, source] of needsShared ? [] : (entry.sources ?? []).entries()) {
    if (!connected.includes(source)) {
      report([...path, 'sources', at], `${source} has neither settings here nor a connection`);
    }
  }
  const rate = entry.rate ?? type.rate;
  const retry = {
    ...defaultRetry,
    ...type.retry,
    ...(entry.retry?.firstDelay !== undefined && { firstDelayMs: entry.retry.firstDelay }),
    ...(entry.retry?.factor !== undefined && { factor: entry.retry.factor }),
    ...(entry.retry?.maxDelay !== undefined && { maxDelayMs: entry.retry.maxDelay }),
    ...(entry.retry?.giveUpAfter !== undefined && { giveUpAfterMs: entry.retry.giveUpAfter }),
  };
  return {
    name: entry.name,
    type,
    ...(shared !== undefined && { shared }),
    own,
    ...(entry.sources !== undefined && { sources: new Set(entry.sources) }),
    ...(entry.endpoint !== undefined && { endpoint: entry.endpoint }),
    retry: { ...retry, maxDelayMs: Math.max(retry.maxDelayMs, retry.firstDelayMs) },
    keepMs: entry.retry?.keepFor ?? defaultKeepMs,
    ...(rate !== undefined && { ratePerSecond: rate.perSecond }),
    timeoutMs: entry.timeout ?? type.timeoutMs ?? defaultTimeoutMs,
  };
};

const encryptionKey = ({ id, key }: { id: string; key: string }): EncryptionKey => ({
  id,
  key: createSecretKey(Buffer.from(key, key.length === 64 ? 'hex' : 'base64')),
});

const reportRepeats = (names: readonly string[], path: (at: number) => Path, report: Report) => {
  for (const [at, name] of names.entries()) {
    if (names.indexOf(name) !== at) report(path(at), 'is used twice: it must be unique');
  }
};

/**
 * Reads a configuration from its text.
 * @param text YAML
 * @param env fills in `${VAR}`
 * @param place how messages call the text, e.g. the file's name
 * @throws UserError with one line per mistake, each with its path and no secret
 */
export const parseConfig = (text: string, env: NodeJS.ProcessEnv, place: string): Config => {
  const problems: string[] = [];
  const report: Report = (path, message) =>
    problems.push(`${pathText(path) || '(top)'}: ${message}`);
  const stopIfAny = () => {
    if (problems.length > 0) {
      throw new UserError(
        `The configuration ${place} has ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}:\n` +
          problems.map((problem) => `  ${problem}`).join('\n'),
      );
    }
  };

  // prettyErrors would quote the lines in question, and with them secrets.
  const document = parseDocument(text, { prettyErrors: false });
  for (const error of document.errors) {
    const line = text.slice(0, error.pos[0]).split('\n').length;
    problems.push(`line ${line}: not YAML: ${error.code.toLowerCase().replaceAll('_', ' ')}`);
  }
  stopIfAny();
  let content: unknown;
  try {
    content = document.toJS() ?? {};
  } catch {
    problems.push('(top): an alias names no anchor, or unfolds to too much');
  }
  const filled = fillIn(content, env, [], report);
  stopIfAny();
  const file = ConfigFile.safeParse(filled);
  reportIssues(file.error, [], report);
  stopIfAny();

  const { sources, destinations, network, sandbox, encryption, operator } = file.data!;
  reportRepeats(
    sources.map(({ name }) => name),
    (at) => ['sources', at, 'name'],
    report,
  );
  reportRepeats(
    sources.map(({ writeKey }) => writeKey),
    (at) => ['sources', at, 'writeKey'],
    report,
  );
  reportRepeats(
    destinations.map(({ name }) => name),
    (at) => ['destinations', at, 'name'],
    report,
  );
  reportRepeats(
    (encryption?.keys ?? []).map(({ id }) => id),
    (at) => ['encryption', 'keys', at, 'id'],
    report,
  );
  const names = new Set(sources.map(({ name }) => name));
  const written = (filled as z.input<typeof ConfigFile>).destinations ?? [];
  const resolved = destinations.map((entry, at) =>
    resolveDestination(entry, written[at]!, names, ['destinations', at], report),
  );
  for (const [at, destination] of network.allowPrivate ? [] : resolved.entries()) {
    for (const path of privateAddresses(destination)) {
      report(
        ['destinations', at, ...path],
        'is a private, loopback or reserved address: none is reached unless network.allowPrivate is true',
      );
    }
  }
  stopIfAny();
  return Object.freeze({
    sources: Object.freeze(sources),
    destinations: Object.freeze(resolved),
    allowPrivate: network.allowPrivate,
    trustProxy: network.trustProxy,
    ...(sandbox !== undefined && { sandbox }),
    encryptionKeys: Object.freeze((encryption?.keys ?? []).map(encryptionKey)),
    ...(operator !== undefined && { operator }),
  });
};

/** The configuration that `start` uses where none is given. */
const demoConfig = resolve(import.meta.dirname, '../config/demo.yaml');

/**
 * Finds and reads the configuration: `--config`, else `DISTRIBUTARY_CONFIG`, else
 * `distributary.yaml` in the working folder, else the demo.
 * @throws UserError where the file cannot be read or has mistakes
 */
export const loadConfig = (
  file: string | undefined,
  env: NodeJS.ProcessEnv,
): { config: Config; place: string } => {
  const inFolder = existsSync('distributary.yaml') ? 'distributary.yaml' : undefined;
  const named = file ?? env['DISTRIBUTARY_CONFIG'] ?? '';
  const place = named === '' ? (inFolder ?? demoConfig) : named;
  let text: string;
  try {
    text = readFileSync(place, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(
      `The configuration ${place} cannot be read (${code ?? String(error)}). ` +
        'Name another with --config FILE or DISTRIBUTARY_CONFIG.',
    );
  }
  return {
    config: parseConfig(text, env, place),
    place: place === demoConfig ? 'the demo' : place,
  };
};
