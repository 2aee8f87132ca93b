import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { RetryPolicy } from './delivery.ts';
import { destinationTypes } from './destinations/index.ts';
import type { DestinationType } from './destinations/define.ts';
import type { Connection, Destination } from './destinations/destination.ts';
import { eventTypes, type EventType } from './event.ts';
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
  /** Where `start` runs the partner sandbox; absent: nowhere. */
  sandboxPort?: number;
}

const defaultRetry: RetryPolicy = {
  firstDelayMs: 1_000,
  factor: 2,
  maxDelayMs: 600_000,
  giveUpAfterMs: 4 * 3_600_000,
};
const defaultTimeoutMs = 10_000;

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** `500ms`, `1.5s`, `10m`, `4h`, `14d` → milliseconds. */
const Duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'must be a duration such as 500ms, 30s, 10m, 4h or 2d')
  .transform(
    (text) => parseFloat(text) * unitMs[text.replace(/[\d.]+/, '') as keyof typeof unitMs],
  );

const Name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit',
  );
const EventTypes = z.array(z.enum(eventTypes)).min(1);
const Origin = z
  .url({ protocol: /^https?$/, error: 'must be an http or https address' })
  .refine(
    (url) => new URL(url).origin === url.replace(/\/$/, ''),
    'must be scheme, host and port alone: a path would be ignored',
  );

const destinationSchema = (type: DestinationType) =>
  z.strictObject({
    name: Name,
    type: z.literal(type.type),
    settings: type.settings.partial().optional(),
    sources: z.array(Name).min(1).optional(),
    connections: z
      .record(
        Name,
        z.strictObject({
          settings: type.settings.partial().optional(),
          events: EventTypes.optional(),
        }),
      )
      .optional(),
    events: EventTypes.optional(),
    endpoint: Origin.optional(),
    retry: z
      .strictObject({
        firstDelay: Duration.optional(),
        factor: z.number().min(1).max(100).optional(),
        maxDelay: Duration.optional(),
        giveUpAfter: Duration.optional(),
      })
      .optional(),
    rate: z.strictObject({ perSecond: z.number().positive() }).optional(),
    timeout: Duration.optional(),
  });

/** The configuration file, once its variables are filled in. */
export const ConfigFile = z.strictObject({
  sources: z
    .array(z.strictObject({ name: Name, writeKey: z.string().min(1).meta({ secret: true }) }))
    .min(1),
  destinations: z
    .array(
      z.discriminatedUnion(
        'type',
        destinationTypes.map(destinationSchema) as [
          ReturnType<typeof destinationSchema>,
          ...ReturnType<typeof destinationSchema>[],
        ],
        { error: `type must be one of ${destinationTypes.map(({ type }) => type).join(', ')}` },
      ),
    )
    .default([]),
  network: z.strictObject({ allowPrivate: z.boolean().default(false) }).prefault({}),
  sandbox: z.strictObject({ port: z.coerce.number().int().min(0).max(65_535) }).optional(),
});
type ConfigFile = z.output<typeof ConfigFile>;
type DestinationEntry = ConfigFile['destinations'][number];

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
  Object.entries(type.settings.shape).flatMap(([key, field]) => {
    const value = settings[key];
    return (field as z.ZodType).meta()?.['secret'] === true &&
      typeof value === 'string' &&
      value !== ''
      ? [value]
      : [];
  });

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
  if (!parsed.success) {
    for (const issue of parsed.error.issues)
      report([...path, 'settings', ...issue.path], issue.message);
    return undefined;
  }
  return {
    name,
    settings: parsed.data,
    events: new Set(events ?? supported),
    secrets: secretsOf(type, parsed.data),
  };
};

const resolveDestination = (
  entry: DestinationEntry,
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
      { ...entry.settings, ...override.settings },
      override.events ?? entry.events,
      at,
      report,
    );
    if (connection !== undefined) own.set(source, connection);
  }
  // Without settings of its own a destination serves exactly the sources that have a connection.
  const needsShared = entry.settings !== undefined || own.size === 0;
  const shared = needsShared
    ? resolveConnection(type, entry.name, entry.settings ?? {}, entry.events, path, report)
    : undefined;
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
    ...(rate !== undefined && { ratePerSecond: rate.perSecond }),
    timeoutMs: entry.timeout ?? type.timeoutMs ?? defaultTimeoutMs,
  };
};

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
  const filled = fillIn(document.toJS() ?? {}, env, [], report);
  stopIfAny();
  const file = ConfigFile.safeParse(filled);
  for (const issue of file.error?.issues ?? []) report(issue.path, issue.message);
  stopIfAny();

  const { sources, destinations, network, sandbox } = file.data!;
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
  const names = new Set(sources.map(({ name }) => name));
  const resolved = destinations.map((entry, at) =>
    resolveDestination(entry, names, ['destinations', at], report),
  );
  stopIfAny();
  return Object.freeze({
    sources: Object.freeze(sources),
    destinations: Object.freeze(resolved),
    allowPrivate: network.allowPrivate,
    ...(sandbox !== undefined && { sandboxPort: sandbox.port }),
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
