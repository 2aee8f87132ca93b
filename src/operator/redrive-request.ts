import { InvalidArgumentError } from 'commander';
import { Duration } from '../config-file.ts';
import type { Config } from '../config.ts';
import { failureCodes, type Choice, type FailureCode, type RedrivePass } from '../delivery.ts';
import { openBatches, type OpenBatches } from '../temporal/open-batches.ts';
import { UserError } from '../user-error.ts';

/** A time back from now, in ms and as it was written. */
export interface Since {
  ms: number;
  text: string;
}

/** What the command's options say of which events are meant. */
export interface RedriveFilter {
  destination: string;
  source?: string;
  since?: Since;
  reason?: FailureCode[];
  now?: boolean;
}

/** Which batches are gone through, and what of them is sent. */
export interface RedriveRequest {
  destination: string;
  choice: Choice;
  passes: RedrivePass[];
  /** What is meant, in words. */
  words: string;
  /** What the operator should know before he says yes. */
  notes: string[];
}

const perUnit = { s: 1, m: 60, h: 3_600 };
const mostPerSecond = 1_000;

/** `20/s`, `90/m` → a second. */
export const parseRate = (text: string): number => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\/([smh])$/.exec(text) ?? [];
  const perSecond = Number(amount) / perUnit[unit as keyof typeof perUnit];
  if (!(perSecond > 0 && perSecond <= mostPerSecond)) {
    throw new InvalidArgumentError(
      `It is batches in a time, such as 20/s or 90/m; at most ${mostPerSecond}/s.`,
    );
  }
  return perSecond;
};

/** `30m`, `2h`, … as in the configuration. */
export const parseSince = (text: string): Since => {
  const { data } = Duration.safeParse(text);
  if (data === undefined) throw new InvalidArgumentError('It is a duration such as 30m, 2h or 3d.');
  return { ms: data, text };
};

/** `rate_limited,refused` → codes. */
export const parseReasons = (text: string): FailureCode[] =>
  text.split(',').map((part) => {
    const code = part.trim();
    if (!Object.hasOwn(failureCodes, code)) {
      throw new InvalidArgumentError(`It is one of ${Object.keys(failureCodes).join(', ')}.`);
    }
    return code as FailureCode;
  });

/** The reasons, each with what it means, for help. */
export const reasonsHelp = (): string =>
  Object.entries(failureCodes)
    .map(([code, meaning]) => `  ${code.padEnd(14)}${meaning}`)
    .join('\n');

/** Names have no quotes in them: what has is none, and must not become part of a query. */
const isName = (text: string): boolean => /^[A-Za-z0-9._-]+$/.test(text);

/**
 * Makes a request of what was asked for.
 * @param now in ms since the epoch: batches that start later are not meant
 * @throws UserError for a destination or source that neither the configuration nor an open batch names
 */
export const redriveRequest = async (
  filter: RedriveFilter,
  { destinations, sources }: Config,
  batches: Pick<OpenBatches, 'count'>,
  now: number,
): Promise<RedriveRequest> => {
  const { destination, source, since, reason } = filter;
  const isInBatches = async (attribute: string, value: string): Promise<boolean> =>
    (await batches.count(openBatches(`${attribute} = '${value}'`))) > 0;
  const isKnownToBatches = async (attribute: string, name: string): Promise<boolean> =>
    isName(name) && (await isInBatches(attribute, name));

  const notes: string[] = [];
  const configured = destinations.find(({ name }) => name === destination);
  if (configured === undefined) {
    if (!(await isKnownToBatches('Destinations', destination))) {
      const known = destinations.map(({ name }) => name).join(', ') || 'none';
      throw new UserError(
        `There is no destination named ${destination}: the configuration has ${known}, and no open batch names it.`,
      );
    }
    notes.push(
      `${destination} is not in the configuration any more: until it is, nobody sends its events.`,
    );
  }
  if (
    source !== undefined &&
    sources.every(({ name }) => name !== source) &&
    !(await isKnownToBatches('Sources', source))
  ) {
    throw new UserError(
      `There is no source named ${source}: neither the configuration nor an open batch names it.`,
    );
  }

  const own = `${destination}/${source ?? ''}`;
  const hasOwn =
    source !== undefined &&
    (configured?.own.has(source) ?? (await isInBatches('StuckDestinations', own)));
  const name = hasOwn ? own : destination;
  const ofSource = source === undefined ? [] : [`Sources = '${source}'`];
  if (source !== undefined && !hasOwn) {
    const why =
      configured === undefined
        ? `No open batch is stuck at ${own}`
        : `${source} has no settings of its own at ${destination}`;
    notes.push(`${why}: where other sources' events are in the same batches, theirs go, too.`);
  }
  const time = (ms: number): string => `'${new Date(ms).toISOString()}'`;
  const bounds = [
    `StartTime <= ${time(now)}`,
    ...(since === undefined ? [] : [`StartTime >= ${time(now - since.ms)}`]),
  ];
  return {
    destination,
    choice: { names: [name], ...(reason !== undefined && { reasons: reason }) },
    passes: [
      {
        kind: 'redrive',
        query: openBatches(`StuckDestinations = '${name}'`, ...(hasOwn ? [] : ofSource), ...bounds),
      },
      ...(filter.now === true
        ? [
            {
              kind: 'hurry' as const,
              query: openBatches(`Destinations = '${destination}'`, ...ofSource, ...bounds),
            },
          ]
        : []),
    ],
    words: [
      `at ${name}`,
      ...(source !== undefined && !hasOwn ? [`of ${source}`] : []),
      ...(since === undefined ? [] : [`begun in the last ${since.text}`]),
      ...(reason === undefined ? [] : [`that last failed for ${reason.join(' or ')}`]),
    ].join(', '),
    notes,
  };
};
