import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { stringify } from 'yaml';
import { loadConfig, parseConfig, type Config } from '../src/config.ts';
import { UserError } from '../src/user-error.ts';
import type { JsonObject } from '../src/event.ts';

const sources = [
  { name: 'website', writeKey: 'key-of-website' },
  { name: 'shop', writeKey: 'key-of-shop' },
];
const projectToken = 'tok-3n';
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const mixpanel = { name: 'mixpanel', type: 'mixpanel', settings: { projectToken } };
const webhook = {
  name: 'hook',
  type: 'webhook',
  settings: { url: 'https://hooks.example/', secret },
};

const parse = (content: JsonObject | string, env: NodeJS.ProcessEnv = {}): Config =>
  parseConfig(typeof content === 'string' ? content : stringify(content), env, 'my.yaml');

/** The mistakes that a configuration is refused with, one a line. */
const mistakes = (content: JsonObject | string, env: NodeJS.ProcessEnv = {}): string[] => {
  try {
    parse(content, env);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    const [head, ...lines] = (error as UserError).message.split('\n');
    expect(head).toBe(
      `The configuration my.yaml has ${lines.length === 1 ? 'a mistake' : `${lines.length} mistakes`}:`,
    );
    return lines.map((line) => line.trim());
  }
  return [];
};
const mistakesOf = (...destinations: JsonObject[]): string[] => mistakes({ sources, destinations });

describe('a sound configuration', () => {
  test('has the defaults of the platform and of the type', () => {
    const { destinations, ...rest } = parse({ sources, destinations: [mixpanel, webhook] });
    expect(rest).toEqual({
      sources,
      allowPrivate: false,
      trustProxy: false,
      encryptionKeys: [],
    });
    expect(destinations).toMatchObject([
      {
        name: 'mixpanel',
        shared: {
          name: 'mixpanel',
          settings: { projectToken, region: 'us' },
          events: new Set(['track', 'identify', 'page', 'screen', 'group', 'alias']),
          secrets: [projectToken],
        },
        retry: { firstDelayMs: 2_000, factor: 2, maxDelayMs: 60_000, giveUpAfterMs: 14_400_000 },
        timeoutMs: 10_000,
      },
      {
        shared: { secrets: ['https://hooks.example/', secret] },
        retry: { firstDelayMs: 1_000, factor: 2, maxDelayMs: 600_000, giveUpAfterMs: 14_400_000 },
      },
    ]);
    for (const key of ['endpoint', 'ratePerSecond', 'sources']) {
      expect(destinations[0]).not.toHaveProperty(key);
    }
  });

  test('may have keys, in hex or base64, that no log prints', () => {
    const bytes = Buffer.from(Array.from({ length: 32 }, (_, at) => at * 8 + 3));
    const base64 = bytes.toString('base64');
    const written = [bytes.toString('hex'), base64, base64.replace('=', '')];
    const { encryptionKeys } = parse({
      sources,
      encryption: { keys: written.map((key, at) => ({ id: `k${at}`, key })) },
    });
    expect(encryptionKeys.map(({ id }) => id)).toEqual(['k0', 'k1', 'k2']);
    for (const { key } of encryptionKeys) expect(key.export()).toEqual(bytes);
    const printed = inspect(encryptionKeys, { depth: 9 }) + JSON.stringify(encryptionKeys);
    for (const secret of written) expect(printed).not.toContain(secret);
  });

  test('may override all that is policy', () => {
    const retry = { firstDelay: '500ms', factor: 3, maxDelay: '1.5m', giveUpAfter: '2d' };
    const own = { endpoint: 'http://127.0.0.1:80/', timeout: '30s', rate: { perSecond: 0.5 } };
    const { destinations } = parse({
      sources,
      destinations: [{ ...mixpanel, ...own, retry, events: ['track', 'page'], sources: ['shop'] }],
      network: { allowPrivate: true },
    });
    expect(destinations[0]).toMatchObject({
      retry: { firstDelayMs: 500, factor: 3, maxDelayMs: 90_000, giveUpAfterMs: 172_800_000 },
      endpoint: 'http://127.0.0.1:80/',
      timeoutMs: 30_000,
      ratePerSecond: 0.5,
      shared: { events: new Set(['track', 'page']) },
      sources: new Set(['shop']),
    });
  });

  test('a first delay may exceed the longest: it is then both', () => {
    const { destinations } = parse({
      sources,
      destinations: [{ ...mixpanel, retry: { firstDelay: '5m' } }],
    });
    expect(destinations[0]!.retry).toMatchObject({ firstDelayMs: 300_000, maxDelayMs: 300_000 });
  });

  test("a connection inherits what it does not say, not a type's default in its stead", () => {
    const { destinations } = parse({
      sources,
      destinations: [
        {
          ...mixpanel,
          settings: { projectToken, region: 'eu' },
          events: ['track', 'page'],
          connections: {
            shop: { settings: { projectToken: 'tok-shop' } },
            website: { events: ['identify'] },
          },
        },
      ],
    });
    const { shared, own } = destinations[0]!;
    expect(shared!.settings).toEqual({ projectToken, region: 'eu' });
    expect(own.get('shop')).toEqual({
      name: 'mixpanel/shop',
      settings: { projectToken: 'tok-shop', region: 'eu' },
      events: new Set(['track', 'page']),
      secrets: ['tok-shop'],
    });
    expect(own.get('website')).toMatchObject({
      settings: { projectToken, region: 'eu' },
      events: new Set(['identify']),
    });
  });

  test('a destination without settings serves the sources that have a connection', () => {
    const { destinations } = parse({
      sources,
      destinations: [
        { name: 'm', type: 'mixpanel', connections: { shop: { settings: { projectToken } } } },
      ],
    });
    expect(destinations[0]!.shared).toBeUndefined();
    expect([...destinations[0]!.own.keys()]).toEqual(['shop']);
  });

  test('needs no destination', () => {
    expect(parse({ sources }).destinations).toEqual([]);
  });
});

describe('variables', () => {
  const filled = (writeKey: string, env: NodeJS.ProcessEnv) =>
    parse({ sources: [{ name: 'website', writeKey }] }, env).sources[0]!.writeKey;

  test('are filled in anywhere in a text', () => {
    expect(filled('${A}', { A: 'x' })).toBe('x');
    expect(filled('a-${A}-${B}', { A: '1', B: '2' })).toBe('a-1-2');
    expect(filled('${A:-fallback}', {})).toBe('fallback');
    expect(filled('${A:-fallback}', { A: '' })).toBe('fallback');
    expect(filled('${A:-fallback}', { A: 'set' })).toBe('set');
    expect(filled('x${A:-}', {})).toBe('x');
    expect(filled('$A{A}$5', { A: 'x' })).toBe('$A{A}$5');
  });

  test('may bring numbers and flags', () => {
    const content = {
      sources,
      destinations: [{ ...mixpanel, rate: { perSecond: '${RATE}' }, retry: { factor: '${F}' } }],
      network: { allowPrivate: '${PRIVATE}', trustProxy: '${PROXIES}' },
      sandbox: { port: '${PORT:-3001}' },
    };
    const config = parse(content, { RATE: '2.5', F: '3', PRIVATE: 'true', PROXIES: '2' });
    expect(config).toMatchObject({
      allowPrivate: true,
      trustProxy: 2,
      sandbox: { port: 3001 },
    });
    expect(config.destinations[0]).toMatchObject({ ratePerSecond: 2.5, retry: { factor: 3 } });
    expect(
      mistakes(content, { RATE: '-1', F: 'x', PRIVATE: 'yes', PROXIES: 'two', PORT: '' }),
    ).toEqual([
      'destinations[0].retry.factor: must be a number',
      'destinations[0].rate.perSecond: must be a number',
      'network.allowPrivate: must be true or false',
      'network.trustProxy: must be true, false or a number of proxies, 1 to 10',
    ]);
  });

  test('that are missing are named, with the place', () => {
    expect(
      mistakes({ sources, destinations: [{ ...mixpanel, settings: { projectToken: '${NO}' } }] }),
    ).toEqual(['destinations[0].settings.projectToken: the environment variable NO is not set']);
  });

  test('are not filled in twice', () => {
    expect(filled('${A}', { A: '${B}', B: 'x' })).toBe('${B}');
  });
});

describe('mistakes, each with its place', () => {
  test('in the text', () => {
    expect(mistakes('sources: [')).toEqual(['line 1: not YAML: bad indent']);
    expect(mistakes('sources: []\nsources: []')).toEqual(['line 2: not YAML: duplicate key']);
    expect(mistakes('sources: *nowhere')).toEqual([
      '(top): an alias names no anchor, or unfolds to too much',
    ]);
    expect(mistakes('')).toEqual(['sources: is missing']);
    expect(mistakes('- a list')).toEqual(['(top): Invalid input: expected object, received array']);
  });

  test('in the sources', () => {
    expect(mistakes({ sources: [] })).toHaveLength(1);
    expect(mistakes({ sources: [{ name: 'a b', writeKey: 5 }], sorces: [] })).toEqual([
      'sources[0].name: must be 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit',
      'sources[0].writeKey: Invalid input: expected string, received number',
      'sorces: is not known here',
    ]);
    expect(mistakes({ sources: [...sources, { name: 'shop', writeKey: 'key-of-shop' }] })).toEqual([
      'sources[2].name: is used twice: it must be unique',
      'sources[2].writeKey: is used twice: it must be unique',
    ]);
  });

  test('in a write key that Basic authentication cannot carry', () => {
    for (const writeKey of ['a:b', 'a b', '']) {
      expect(mistakes({ sources: [{ name: 'website', writeKey }] })).toEqual([
        'sources[0].writeKey: must be 1 to 256 characters without a colon or white space',
      ]);
    }
  });

  test('in what encrypts, without a word of it', () => {
    const id = 'k1';
    const short = '00ff'.repeat(15);
    expect(mistakes({ sources, encryption: { keys: [] } })).toEqual([
      'encryption.keys: must hold at least one key',
    ]);
    for (const key of [short, `${short}zzzz`, '', 'A'.repeat(42), 'A'.repeat(45)]) {
      expect(mistakes({ sources, encryption: { keys: [{ id, key }] } })).toEqual([
        'encryption.keys[0].key: must be 32 bytes in base64 or hex; `openssl rand -base64 32` makes them',
      ]);
    }
    const key = 'A'.repeat(43);
    expect(
      mistakes({
        sources,
        encryption: {
          keys: [
            { id, key },
            { id, key },
          ],
        },
      }),
    ).toEqual(['encryption.keys[1].id: is used twice: it must be unique']);
  });

  test('in an operator token that is easily guessed or no header carries', () => {
    for (const token of ['fifteen-letters', 'sixteen letters!', '']) {
      expect(mistakes({ sources, operator: { token } })).toEqual([
        'operator.token: must be 16 to 512 ASCII characters without white space',
      ]);
    }
  });

  test('in delays that Temporal does not take, or that nobody means', () => {
    const retry = { firstDelay: '0s', maxDelay: '99d', giveUpAfter: '999d' };
    expect(
      mistakesOf({ name: 'x', type: 'webhook', settings: { url: 'http://x.y' }, retry }),
    ).toEqual([
      'destinations[0].retry.firstDelay: must be between 100ms and 1h',
      'destinations[0].retry.maxDelay: must be between 100ms and 24h',
      'destinations[0].retry.giveUpAfter: must be between 0s and 30d',
    ]);
  });

  test('in the type of a destination', () => {
    const expected =
      'destinations[0].type: type must be one of google-analytics-4, mixpanel, optimizely, webhook';
    expect(mistakesOf({ name: 'x', type: 'nope' })).toEqual([expected]);
    expect(mistakesOf({ name: 'x' })).toEqual([expected]);
  });

  test('in settings', () => {
    expect(mistakesOf({ name: 'x', type: 'mixpanel' })).toEqual([
      'destinations[0].settings.projectToken: is missing',
    ]);
    expect(
      mistakesOf(mixpanel, { ...webhook, settings: { url: 'hooks.example', secrt: secret } }),
    ).toEqual([
      'destinations[1].settings.url: must be an http or https address',
      'destinations[1].settings.secrt: is not known here',
    ]);
    expect(mistakesOf({ ...mixpanel, settings: 'none' })).toEqual([
      'destinations[0].settings: Invalid input: expected object, received string',
    ]);
  });

  test('in policies', () => {
    expect(
      mistakesOf({
        ...mixpanel,
        timeout: '0ms',
        retry: { maxDelay: 'soon', factor: 0, firstDelay: 5 },
        rate: { perSecond: 0 },
        retries: 3,
      }),
    ).toEqual([
      'destinations[0].retry.firstDelay: Invalid input: expected string, received number',
      'destinations[0].retry.factor: Too small: expected number to be >=1',
      'destinations[0].retry.maxDelay: must be a duration such as 500ms, 30s, 10m, 4h or 2d',
      'destinations[0].rate.perSecond: Too small: expected number to be >=0.01',
      'destinations[0].timeout: must be between 1ms and 1h',
      'destinations[0].retries: is not known here',
    ]);
  });

  test.each([
    ['nowhere', 'must be an http or https address'],
    ['ftp://partner.example', 'must be an http or https address'],
    [
      'http://partner.example/v1',
      'must be scheme, host and port alone: anything else would be ignored',
    ],
    [
      'http://partner.example?a',
      'must be scheme, host and port alone: anything else would be ignored',
    ],
    [
      'http://jane@partner.example',
      'must be scheme, host and port alone: anything else would be ignored',
    ],
  ])('in an endpoint: %s', (endpoint, words) => {
    expect(mistakesOf({ ...mixpanel, endpoint })).toEqual([`destinations[0].endpoint: ${words}`]);
  });

  test('in event types', () => {
    expect(mistakesOf({ ...mixpanel, events: ['trak'] })).toHaveLength(1);
    expect(mistakesOf({ ...mixpanel, events: [] })).toHaveLength(1);
  });

  test('in sources and connections of a destination', () => {
    expect(
      mistakesOf({
        ...mixpanel,
        sources: ['website', 'nowhere'],
        connections: { shop: {}, elsewhere: {}, website: { settings: { region: 'mars' } } },
      }),
    ).toEqual([
      'destinations[0].connections.website.settings.region: Invalid option: expected one of "us"|"eu"|"in"',
    ]);
    expect(
      mistakesOf({
        ...mixpanel,
        sources: ['website', 'nowhere'],
        connections: { shop: {}, elsewhere: {} },
      }),
    ).toEqual([
      'destinations[0].sources[1]: there is no source named nowhere',
      "destinations[0].connections.shop: shop is not among this destination's sources",
      'destinations[0].connections.elsewhere: there is no source named elsewhere',
      "destinations[0].connections.elsewhere: elsewhere is not among this destination's sources",
    ]);
    expect(mistakesOf({ ...mixpanel, connections: { 'a b': {} } })).toEqual([
      'destinations[0].connections.a b: must be 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit',
    ]);
  });

  test('a source that has neither shared settings nor its own', () => {
    const bare = { name: 'mixpanel', type: 'mixpanel' };
    expect(
      mistakesOf({
        ...bare,
        sources: ['shop', 'website'],
        connections: { shop: { settings: { projectToken } } },
      }),
    ).toEqual(['destinations[0].sources[1]: website has neither settings here nor a connection']);
    expect(mistakesOf({ ...bare, connections: { shop: { settings: { region: 'eu' } } } })).toEqual([
      'destinations[0].connections.shop.settings.projectToken: is missing',
    ]);
  });

  test('two destinations of one name would share a task queue', () => {
    expect(mistakesOf(mixpanel, { ...webhook, name: 'mixpanel' })).toEqual([
      'destinations[1].name: is used twice: it must be unique',
    ]);
  });

  test('all at once', () => {
    expect(
      mistakes({
        sources: [...sources, { name: 'shop', writeKey: 'k' }],
        destinations: [{ ...mixpanel, sources: ['nowhere'] }, mixpanel],
      }),
    ).toHaveLength(3);
  });
});

test('no message holds a secret', () => {
  const hidden = 'S3CR-ET/with+signs';
  const wrong = { projectToken: `${hidden} ${hidden}`, region: hidden };
  const words = [
    ...mistakesOf({ ...mixpanel, settings: wrong }),
    ...mistakesOf({ ...mixpanel, settings: { projectToken: [hidden] } }),
    ...mistakesOf({ ...webhook, settings: { url: hidden, secret: hidden } }),
    ...mistakesOf({ ...mixpanel, connections: { shop: { settings: wrong } } }),
    ...mistakes({ sources: [...sources, { name: 'x', writeKey: [hidden] }, hidden] }),
    ...mistakes({ sources: [1, 2].map((n) => ({ name: `s${n}`, writeKey: hidden })) }),
    ...mistakes(`sources:\n  - writeKey: "${hidden}\n  name: : x`),
    ...mistakes({ sources, destinations: [{ ...mixpanel, type: '${KIND}' }] }, { KIND: hidden }),
  ];
  expect(words.length).toBeGreaterThanOrEqual(8);
  expect(words.join('\n')).not.toContain(hidden);
});

describe('an address that is not public', () => {
  const never =
    'is a private, loopback or reserved address: none is reached unless network.allowPrivate is true';
  const to = (url: string) => ({ ...webhook, settings: { url } });

  test.each([
    'http://127.0.0.1:9000/hidden',
    'http://localhost/hidden',
    'https://shop.localhost./hidden',
    'http://2130706433/hidden',
    'http://[::1]/hidden',
    'http://[::ffff:10.0.0.1]/hidden',
    'https://192.168.1.7/hidden',
    'http://169.254.169.254/hidden',
  ])('%s is a mistake unless it may be reached, and not quoted', (url) => {
    expect(mistakesOf(to(url))).toEqual([`destinations[0].settings.url: ${never}`]);
    const network = { allowPrivate: true };
    expect(mistakes({ sources, destinations: [to(url)], network })).toEqual([]);
  });

  test.each(['https://1.1.1.1/', 'https://[2606:4700::1111]/', 'https://localhost.example/'])(
    '%s is public, or may be',
    (url) => expect(mistakesOf(to(url))).toEqual([]),
  );

  test('is found in each place that is sent to', () => {
    const url = 'http://10.0.0.1/';
    const inherits = { events: ['track'] };
    expect(
      mistakesOf(
        { ...mixpanel, endpoint: 'http://localhost:9000' },
        { ...to(url), connections: { shop: inherits } },
        { ...webhook, name: 'b', connections: { shop: { settings: { url } } } },
        { ...to(url), name: 'c', endpoint: 'https://proxy.example' }, // in place of it
      ),
    ).toEqual([
      `destinations[0].endpoint: ${never}`,
      `destinations[1].settings.url: ${never}`,
      `destinations[2].connections.shop.settings.url: ${never}`,
    ]);
  });
});

describe('finding the file', () => {
  const back = process.cwd();
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'config-'));
    process.chdir(folder);
  });
  afterAll(() => {
    process.chdir(back);
    rmSync(folder, { recursive: true });
  });
  const write = (file: string, writeKey: string): string => {
    const path = join(folder, file);
    writeFileSync(path, stringify({ sources: [{ name: 'website', writeKey }] }));
    return path;
  };
  const writeKeyOf = (file: string | undefined, env: NodeJS.ProcessEnv) =>
    loadConfig(file, env).config.sources[0]!.writeKey;

  test('the demo, where there is none', () => {
    const { config, place } = loadConfig(undefined, {});
    expect(place).toBe('the demo');
    expect(config.sources).toEqual([{ name: 'website', writeKey: 'demo-write-key' }]);
    expect(config.destinations.map(({ name }) => name)).toEqual([
      'google-analytics',
      'mixpanel',
      'optimizely',
      'webhook',
    ]);
    expect(config).toMatchObject({ allowPrivate: true, sandbox: { port: 3001 } });
    expect(loadConfig(undefined, { SANDBOX_PORT: '4001' }).config).toMatchObject({
      sandbox: { port: 4001 },
      destinations: Array.from({ length: 3 }, () => ({ endpoint: 'http://127.0.0.1:4001' })).concat(
        {} as never,
      ),
    });
  });

  test("--config, else the variable, else the folder's", () => {
    const env = { DISTRIBUTARY_CONFIG: write('b.yaml', 'by-variable') };
    const file = write('a.yaml', 'by-option');
    write('distributary.yaml', 'by-folder');
    expect(writeKeyOf(file, env)).toBe('by-option');
    expect(writeKeyOf(undefined, env)).toBe('by-variable');
    expect(writeKeyOf(undefined, {})).toBe('by-folder');
  });

  test('a file that cannot be read is named, with the remedy', () => {
    expect(() => loadConfig('nowhere.yaml', {})).toThrow(
      new UserError(
        'The configuration nowhere.yaml cannot be read (ENOENT). ' +
          'Name another with --config FILE or DISTRIBUTARY_CONFIG.',
      ),
    );
    expect(() => loadConfig(folder, {})).toThrow(/\(EISDIR\)/);
  });
});
