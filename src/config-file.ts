import { z } from 'zod';
import type { DestinationType } from './destinations/define.ts';
import { destinationTypes } from './destinations/index.ts';
import { eventTypes } from './event.ts';

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** `500ms`, `1.5s`, `10m`, `4h`, `14d` → milliseconds. */
const Duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'must be a duration such as 500ms, 30s, 10m, 4h or 2d')
  .transform(
    (text) => parseFloat(text) * unitMs[text.replace(/[\d.]+/, '') as keyof typeof unitMs],
  );

const between = (least: string, most: string) =>
  Duration.refine((ms) => ms >= Duration.parse(least) && ms <= Duration.parse(most), {
    error: `must be between ${least} and ${most}`,
  });

const Name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit',
  );
const EventTypes = z.array(z.enum(eventTypes)).min(1);
const Origin = z
  .url({ protocol: /^https?$/, error: 'must be an http or https address', abort: true })
  .refine((text) => {
    const { pathname, search, hash, username, password } = new URL(text);
    return `${username}${password}${pathname}${search}${hash}` === '/';
  }, 'must be scheme, host and port alone: anything else would be ignored');
// A variable's value is text, wherever it is filled in.
const Amount = z.union(
  [
    z.number(),
    z
      .string()
      .regex(/^\d+(\.\d+)?$/)
      .transform(Number),
  ],
  {
    error: 'must be a number',
  },
);
const Flag = z.union(
  [z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')],
  {
    error: 'must be true or false',
  },
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
        firstDelay: between('100ms', '1h').optional(),
        factor: Amount.pipe(z.number().min(1).max(100)).optional(),
        maxDelay: between('100ms', '24h').optional(),
        giveUpAfter: between('0s', '30d').optional(),
      })
      .optional(),
    rate: z.strictObject({ perSecond: Amount.pipe(z.number().min(0.01)) }).optional(),
    timeout: between('1ms', '1h').optional(),
  });

/** Clients send it as the user's name of Basic authentication, which ends at the first colon. */
const WriteKey = z
  .string()
  .regex(/^[^\s:]{1,256}$/, 'must be 1 to 256 characters without a colon or white space');

/** The configuration file, once its variables are filled in. */
export const ConfigFile = z.strictObject({
  sources: z
    .array(z.strictObject({ name: Name, writeKey: WriteKey.meta({ secret: true }) }))
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
  network: z.strictObject({ allowPrivate: Flag.default(false) }).prefault({}),
  sandbox: z
    .strictObject({
      port: Amount.pipe(z.int().min(0).max(65_535)),
      webhookSecret: z.string().optional().meta({ secret: true }),
    })
    .optional(),
});
export type ConfigFile = z.output<typeof ConfigFile>;
export type DestinationEntry = ConfigFile['destinations'][number];
/** As written: checking fills in defaults, which must not hide what a connection inherits. */
export type WrittenSettings = Pick<
  NonNullable<z.input<typeof ConfigFile>['destinations']>[number],
  'settings' | 'connections'
>;
