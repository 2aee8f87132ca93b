import { z } from 'zod';
import type { DestinationType } from './destinations/define.ts';
import { destinationTypes } from './destinations/index.ts';
import { eventTypes } from './event.ts';

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** `500ms`, `1.5s`, `10m`, `4h`, `14d` → milliseconds. */
export const Duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'must be a duration such as 500ms, 30s, 10m, 4h or 2d')
  .transform((text) => parseFloat(text) * unitMs[text.replace(/[\d.]+/, '') as keyof typeof unitMs])
  .meta({ title: 'duration' });

const between = (least: string, most: string) =>
  Duration.refine((ms) => ms >= Duration.parse(least) && ms <= Duration.parse(most), {
    error: `must be between ${least} and ${most}`,
  });

const Name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit',
  )
  .meta({ title: 'name' });
const EventTypes = z.array(z.enum(eventTypes)).min(1);
const Origin = z
  .url({ protocol: /^https?$/, error: 'must be an http or https address', abort: true })
  .refine((text) => {
    const { pathname, search, hash, username, password } = new URL(text);
    return `${username}${password}${pathname}${search}${hash}` === '/';
  }, 'must be scheme, host and port alone: anything else would be ignored')
  .meta({ title: 'address' });
// A variable's value is text, wherever it is filled in.
const Amount = z
  .union(
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
  )
  .meta({ title: 'number' });
const Flag = z
  .union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')], {
    error: 'must be true or false',
  })
  .meta({ title: 'true or false' });
const proxies = 'must be true, false or a number of proxies, 1 to 10';
const Proxies = z
  .union([Flag, Amount.pipe(z.int(proxies).min(1, proxies).max(10, proxies))], { error: proxies })
  .meta({ title: 'true, false or number' });
/** Says what a key of the file is for, to editors and in docs/reference.md. */
const told = <T extends z.ZodType>(schema: T, description: string): T =>
  schema.meta({ description });

const destinationSchema = (type: DestinationType) =>
  z.strictObject({
    name: told(Name, 'Unique; also its task queue, `destination-<name>`.'),
    type: told(z.literal(type.type), 'The destination type.'),
    settings: told(
      type.settings.partial().optional(),
      "The type's settings. Omitted beside connections: only their sources are served.",
    ),
    sources: told(
      z.array(Name).min(1).optional(),
      'Whose events it gets. Omitted: those of every source that there are settings for.',
    ),
    connections: told(
      z
        .record(
          Name,
          z.strictObject({
            settings: told(
              type.settings.partial().optional(),
              "Before the destination's settings, key by key.",
            ),
            events: told(EventTypes.optional(), "In place of the destination's."),
          }),
        )
        .optional(),
      'What single sources have of their own.',
    ),
    events: told(
      EventTypes.optional(),
      'Which event types it gets. Omitted: all that the type supports.',
    ),
    endpoint: told(
      Origin.optional(),
      'In place of scheme, host and port of every request. Omitted: the partner.',
    ),
    retry: told(
      z
        .strictObject({
          firstDelay: told(
            between('100ms', '1h').optional(),
            'Before the second try, 100ms to 1h.',
          ),
          factor: told(
            Amount.pipe(z.number().min(1).max(100)).optional(),
            'How much longer each delay is than the last, 1 to 100.',
          ),
          maxDelay: told(between('100ms', '24h').optional(), 'The longest delay, 100ms to 24h.'),
          giveUpAfter: told(
            between('0s', '30d').optional(),
            'When a delivery parks, 0s to 30d after its first try.',
          ),
          keepFor: told(
            between('1s', '365d').optional(),
            'When what is parked is given up and its batch fails, 1s to 365d after it parked.',
          ),
        })
        .optional(),
      "What is omitted is the type's, else 1s, 2, 10m and 4h; and for what is parked 14d.",
    ),
    rate: told(
      z
        .strictObject({
          perSecond: told(Amount.pipe(z.number().min(0.01)), 'Requests a second, per process.'),
        })
        .optional(),
      "Omitted: the type's, else as fast as the partner answers.",
    ),
    timeout: told(
      between('1ms', '1h').optional(),
      "The longest wait for an answer, 1ms to 1h. Omitted: the type's, else 10s.",
    ),
  });

/** Clients send it as the user's name of Basic authentication, which ends at the first colon. */
const WriteKey = z
  .string()
  .regex(/^[^\s:]{1,256}$/, 'must be 1 to 256 characters without a colon or white space');

/** 32 bytes. 43 characters are all that 32 bytes take in base64 without its padding. */
const Aes256Key = z
  .string()
  .regex(
    /^(?:[0-9A-Fa-f]{64}|[A-Za-z0-9+/]{43}=?)$/,
    'must be 32 bytes in base64 or hex; `openssl rand -base64 32` makes them',
  );
/** It goes into a header, as it is. */
const OperatorToken = z
  .string()
  .regex(/^[!-~]{16,512}$/, 'must be 16 to 512 ASCII characters without white space');

/** The configuration file, once its variables are filled in. */
export const ConfigFile = z.strictObject({
  sources: told(
    z
      .array(
        z.strictObject({
          name: told(Name, 'Unique.'),
          writeKey: WriteKey.meta({
            secret: true,
            description: 'What clients send to say whose their events are. Unique.',
          }),
        }),
      )
      .min(1),
    'Where events come from.',
  ),
  destinations: told(
    z
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
    'Where events go.',
  ),
  network: told(
    z
      .strictObject({
        allowPrivate: told(
          Flag.default(false),
          'Whether destinations may reach loopback, private and link-local addresses. Omitted: false.',
        ),
        trustProxy: told(
          Proxies.default(false),
          'Whether `X-Forwarded-For` says who a client is: `true` behind a proxy that writes it afresh; behind such as add to it their number, 1 to 10. Omitted: false.',
        ),
      })
      .prefault({}),
    'What this process may reach, and how it is reached.',
  ),
  sandbox: told(
    z
      .strictObject({
        port: told(
          Amount.pipe(z.int().min(0).max(65_535)),
          'Where it listens; 0: any that is free.',
        ),
        webhookSecret: z
          .string()
          .optional()
          .meta({ secret: true, description: 'What webhooks to it are signed with.' }),
      })
      .optional(),
    'The partner sandbox, which `distributary start` runs. Omitted: none.',
  ),
  encryption: told(
    z
      .strictObject({
        keys: told(
          z
            .array(
              z.strictObject({
                id: told(
                  Name,
                  'Unique, and for ever: what the key encrypts names it in plain text.',
                ),
                key: Aes256Key.meta({
                  secret: true,
                  description: 'For AES-256: 32 bytes in base64 or hex.',
                }),
              }),
            )
            .min(1, 'must hold at least one key'),
          'The first encrypts; each decrypts. To rotate, put a new one first and keep the others.',
        ),
      })
      .optional(),
    'Encrypts all that Temporal stores of events and outcomes. Omitted: it is readable there.',
  ),
  operator: told(
    z
      .strictObject({
        token: OperatorToken.meta({
          secret: true,
          description: 'Sent as `Authorization: Bearer`, it opens what operators alone may use.',
        }),
      })
      .optional(),
    'Access for operators from elsewhere. Omitted: none.',
  ),
});
export type ConfigFile = z.output<typeof ConfigFile>;
export type DestinationEntry = ConfigFile['destinations'][number];
/** As written: checking fills in defaults, which must not hide what a connection inherits. */
export type WrittenSettings = Pick<
  NonNullable<z.input<typeof ConfigFile>['destinations']>[number],
  'settings' | 'connections'
>;
