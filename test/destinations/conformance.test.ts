import { describe, expect, test, jest } from '@jest/globals';
import * as nodeCrypto from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { join } from 'node:path';
import { chunk, halves, type Placed } from '../../src/activities/chunk.ts';
import { classify } from '../../src/activities/classify.ts';
import { createMask } from '../../src/activities/mask.ts';
import {
  secretKeys,
  type Attempt,
  type DestinationType,
  type PartnerRequest,
} from '../../src/destinations/define.ts';
import { destinationTypes } from '../../src/destinations/index.ts';
import { eventTypes, type Event, type EventType, type JsonObject } from '../../src/event.ts';
import { eventBuilders, without } from '../support/events.ts';
import type { DestinationFixture } from './fixture.ts';

/** A type's whole story is to be read at a glance; words and limits of a partner may be beside it. */
const mostLines = 60;
const sourceFolder = join(__dirname, '../../src/destinations');

const namesIn = (folder: string, ending: string): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));

const isType = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'type' in value && 'request' in value;
/** The files of src/destinations that export a destination type: the others are what types share. */
const typeFiles = namesIn(sourceFolder, '.ts').filter((file) =>
  Object.values(jest.requireActual<object>(`../../src/destinations/${file}.ts`)).some(isType),
);

const types = destinationTypes.map(({ type }) => type);

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
};

const mapped = (type: DestinationType, event: Event, settings: JsonObject): unknown =>
  (type.events[event.type] as (event: Event, settings: JsonObject) => unknown)(event, settings);

/** Runs something where no clock, chance, environment or network is to be had. */
const inTheDark = <T>(run: () => T): T => {
  const refuse = (): never => {
    throw new TypeError('not pure');
  };
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    apply: refuse,
    construct: (target, given) =>
      given.length === 0 ? refuse() : (Reflect.construct(target, given) as Date),
    get: (target, key): unknown => (key === 'now' ? refuse : Reflect.get(target, key)),
  });
  const spies = [
    jest.spyOn(Math, 'random'),
    jest.spyOn(performance, 'now'),
    jest.spyOn(globalThis, 'fetch'),
    jest.spyOn(nodeCrypto, 'randomUUID'),
    jest.spyOn(nodeCrypto, 'randomBytes'),
    jest.spyOn(globalThis.crypto, 'randomUUID'),
    jest.spyOn(process, 'hrtime'),
  ].map((spy) => (spy as unknown as jest.Mock).mockImplementation(refuse));
  const { env } = process;
  process.env = new Proxy(env, { get: refuse });
  try {
    return run();
  } finally {
    process.env = env;
    for (const spy of spies) spy.mockRestore();
    globalThis.Date = RealDate;
  }
};

/** Requests whose bodies are no larger than the type says, made as the engine makes them. */
const sizedRequests = (
  type: DestinationType,
  placed: readonly Placed[],
  settings: JsonObject,
  attempt: Attempt,
): PartnerRequest[] => {
  const build = (items: readonly Placed[]) =>
    type.request(
      items.map(({ item }) => item),
      settings,
      attempt,
    );
  const split = (items: readonly Placed[]): PartnerRequest[] => {
    const request = build(items);
    const isTooLarge = Buffer.byteLength(request.body) > (type.batch?.maxBytes ?? Infinity);
    return isTooLarge && items.length > 1 ? halves(items).flatMap(split) : [request];
  };
  return chunk(type, placed).flatMap(split);
};

/** The requests that carry these events, made as the engine makes them. */
const requestsFor = (
  type: DestinationType,
  events: readonly Event[],
  given: JsonObject,
  attempt: Attempt,
): PartnerRequest[] => {
  const settings = deepFreeze(type.settings.parse(given));
  const items = events.flatMap((event, place) => {
    const item = mapped(type, deepFreeze(event), settings);
    return item === null ? [] : [{ place, item }];
  });
  return chunk(type, items).map((placed) =>
    type.request(
      placed.map(({ item }) => item),
      settings,
      attempt,
    ),
  );
};

/** Properties and context as nobody would send them, and as somebody does. */
const oddObjects: JsonObject[] = [
  {},
  JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":null}') as JsonObject,
  { page: null, os: 'Linux', app: 7, campaign: [], device: { model: { deep: { deeper: {} } } } },
  { ip: { a: 1 }, groupId: ['x'], traits: null, name: null, email: 5, time: 'noon', products: 'x' },
  { 'naïve ☃ 𝒳': '\ud800 \u0000 \r\n', '': '', ['k'.repeat(10_000)]: 'v'.repeat(100_000) },
  Object.fromEntries(Array.from({ length: 600 }, (_, at) => [`p${at}`, at])),
];
const oddIds = [
  'a\r\nx-injected: 1',
  '☃',
  ' ',
  '0',
  'null',
  'x'.repeat(512),
  '\u0000',
  '../..',
  '"',
];

const oddEvents = (type: EventType): Event[] => {
  const build = eventBuilders[type] as (given?: JsonObject) => Event;
  return [
    ...oddObjects.map((odd) => build({ properties: odd, traits: odd, context: odd })),
    ...oddIds.map((id) =>
      build({ messageId: id, userId: id, anonymousId: id, groupId: id, previousId: `${id}.` }),
    ),
    ...oddIds.map((text) => build({ event: text, name: text, category: text })),
    without(build({ properties: {}, traits: {}, context: {}, name: '' }), 'anonymousId'),
    without(without(build(), 'anonymousId'), 'userId'),
    build({ timestamp: '+275760-09-13T00:00:00.000Z' }),
  ];
};

test('every destination type is listed, once, in order, under the name of its file', () => {
  expect(types).toEqual(typeFiles.filter((file) => file !== 'index').sort());
  const names = destinationTypes.flatMap(({ name, otherNames = [] }) => [name, ...otherNames]);
  expect(new Set(names).size).toBe(names.length);
});

test('every destination type has its fixture, and no fixture is left over', () => {
  expect(namesIn(__dirname, '.fixture.ts').sort()).toEqual(types);
});

const withFixtures = destinationTypes
  .filter(({ type }) => existsSync(join(__dirname, `${type}.fixture.ts`)))
  .map((type) => {
    const path = `./${type.type}.fixture.ts`;
    return { slug: type.type, type, ...jest.requireActual<{ fixture: DestinationFixture }>(path) };
  });

describe.each(withFixtures)('$slug', ({ slug, type, fixture }) => {
  const { attempt, settings } = fixture;
  const supported = eventTypes.filter((each) => type.events[each] !== undefined);
  const secretsIn = (given: JsonObject): string[] =>
    fixture.secrets
      .map((key) => given[key])
      .filter((value) => typeof value === 'string' && value !== '') as string[];
  const examples = fixture.requests.flatMap((example) =>
    example.request === null ? [] : [{ ...example, expected: example.request }],
  );

  test('is what its file exports, and names its reference', () => {
    const exported = jest.requireActual<object>(`../../src/destinations/${slug}.ts`);
    expect(Object.values(exported)).toContain(type);
    expect(slug).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(type.docs).toMatch(/^https:\/\//);
    expect(type.name).not.toBe('');
    const text = readFileSync(join(sourceFolder, `${slug}.ts`), 'utf8');
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(mostLines);
  });

  test('has an example for each event type that it supports, with its provenance', () => {
    const shown = examples.flatMap(({ events }) => events.map((event) => event.type));
    expect(eventTypes.filter((each) => shown.includes(each))).toEqual(supported);
    expect(fixture.responses.length).toBeGreaterThan(0);
    for (const { provenance } of [...fixture.requests, ...fixture.responses, fixture.limits]) {
      expect(provenance.reference).toMatch(/, https:\/\//);
      expect(provenance.date).toMatch(/^\d{4}-\d\d-\d\d$/);
    }
  });

  test.each(fixture.requests)('request: $title', ({ events, request, ...example }) => {
    const built = requestsFor(type, events, example.settings ?? settings, attempt);
    expect(
      built.map(({ body, ...rest }) => ({
        ...rest,
        body: typeof request?.body === 'string' ? body : (JSON.parse(body) as unknown),
      })),
    ).toEqual(request === null ? [] : [request]);
  });

  test.each(examples)('pure: $title', ({ events, ...example }) => {
    const build = (time: number) =>
      inTheDark(() => requestsFor(type, events, example.settings ?? settings, { time })[0]!);
    const first = build(attempt.time);
    expect(build(attempt.time)).toEqual(first);

    const later = [1_000, 4 * 3_600_000].map((ms) => build(attempt.time + ms));
    if (fixture.dedupeKeys === 'none') {
      expect(later).toEqual([first, first]);
      expect(type.notes).toMatch(/may count twice/);
      return;
    }
    const keysOf = fixture.dedupeKeys;
    const keys = keysOf(first);
    expect(keys).toHaveLength(events.length);
    expect(new Set(keys).size).toBe(events.length);
    expect(later.map(keysOf)).toEqual([keys, keys]);
  });

  test('rejects before it is sent what the partner would refuse', () => {
    for (const { event, reason } of fixture.unmappable) {
      expect(() => mapped(type, event, type.settings.parse(settings))).toThrow(new Error(reason));
    }
  });

  test.each(fixture.responses)('answer: $title', ({ events, response, verdicts }) => {
    const parsed = type.settings.parse(settings);
    const items = events.map((event) => mapped(type, event, parsed));
    const read = inTheDark(() => classify(type, deepFreeze(response), items, attempt.time));
    expect(read.verdicts).toEqual(verdicts);
  });

  test.each(supported)('odd %s events make a sound request or are rejected with words', (each) => {
    const parsed = deepFreeze(type.settings.parse(settings));
    for (const event of oddEvents(each).map(deepFreeze)) {
      let item: unknown;
      try {
        item = inTheDark(() => mapped(type, event, parsed));
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        const { constructor, message } = error as Error;
        expect(constructor).toBe(Error); // a TypeError would be a fault of the mapper
        for (const secret of secretsIn(settings)) expect(message).not.toContain(secret);
        continue;
      }
      if (item === null) continue;
      expect(Array.isArray(item)).toBe(false); // several items of one event would be told by it
      const { method, url, headers, body } = type.request([item], parsed, attempt);
      expect(method).toMatch(/^(POST|PUT|PATCH|GET)$/);
      expect(new URL(url).protocol).toMatch(/^https?:$/);
      expect(url).toMatch(/^[\x21-\x7e]+$/);
      for (const [name, value] of Object.entries(headers)) {
        validateHeaderName(name);
        validateHeaderValue(name, value);
        expect(name).toBe(name.toLowerCase());
      }
      expect(typeof body).toBe('string');
      expect(body).not.toContain('undefined":');
    }
  });

  test('keeps to its limits; what shares a request would be sent to the same place alone', () => {
    const { max = 1 } = type.batch ?? {};
    const parsed = type.settings.parse(settings);
    const items = Array.from({ length: max + 1 }).flatMap((_, place) =>
      supported.map((each) => ({
        place,
        item: mapped(type, eventBuilders[each]({ messageId: `m-${place}` }), parsed),
      })),
    );
    const place = (sent: readonly unknown[]): string => {
      const { method, url } = type.request(sent, parsed, attempt);
      return `${method} ${url}`;
    };
    for (const placed of chunk(type, items)) {
      expect(placed.length).toBeLessThanOrEqual(max);
      const sent = placed.map(({ item }) => item);
      const together = place(sent);
      const apart = new Set(sent.map((item) => place([item])));
      expect(apart).toEqual(new Set([together]));
    }
    const { maxBytes = 1 } = type.batch ?? {};
    for (const limit of [max, maxBytes, type.timeoutMs ?? 1, type.maxAgeMs ?? 1]) {
      expect(limit).toBeGreaterThanOrEqual(1);
    }
  });

  test('a full request of large events is split until it is no larger than the partner takes', () => {
    const { max = 1 } = type.batch ?? {};
    const { items: mostItems = Infinity, bytes: mostBytes = Infinity } = fixture.limits;
    expect(max).toBeLessThanOrEqual(mostItems);
    expect(type.batch?.maxBytes ?? Infinity).toBeLessThanOrEqual(mostBytes);
    const parsed = type.settings.parse(settings);
    const text = '☃'.repeat(2_000);
    const properties = Object.fromEntries(Array.from({ length: 24 }, (_, at) => [`p${at}`, text]));
    const placed = Array.from({ length: Math.min(max, 100) }, (_, place) => {
      const event = eventBuilders.track({ messageId: `m-${place}`, properties });
      return { place, item: mapped(type, event, parsed) };
    });
    const requests = sizedRequests(type, placed, parsed, attempt);
    for (const { body } of requests) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(mostBytes);
    if (fixture.dedupeKeys !== 'none') {
      expect(new Set(requests.flatMap(fixture.dedupeKeys)).size).toBe(placed.length);
    }
  });

  test('secrets are masked in every form that a request carries them in', () => {
    const mask = createMask(secretsIn(settings));
    for (const { events } of examples) {
      for (const { url, headers, body } of requestsFor(type, events, settings, attempt)) {
        const carried = [url, ...Object.values(headers), body].join('\n');
        // As a partner would quote it: reasons are cut, so every piece of it in turn.
        for (let at = 0; at < carried.length; at += 50) {
          const response = { status: 422, headers: {}, body: carried.slice(at, at + 150) };
          const [verdict] = classify(type, response, [{}], attempt.time).verdicts;
          const words = mask((verdict as { reason: string }).reason);
          for (const hidden of secretsIn(settings)) {
            expect(words).not.toContain(hidden);
            expect(words).not.toContain(encodeURIComponent(hidden));
            expect(words).not.toContain(Buffer.from(hidden).toString('base64').slice(0, -4));
          }
        }
      }
    }
  });

  test('settings: secrets are marked', () => {
    expect(secretKeys(type.settings)).toEqual(fixture.secrets);
    expect(secretsIn(settings)).toHaveLength(fixture.secrets.length);
  });

  test('settings: a mistake is refused with its place, and without the value', () => {
    for (const { settings: wrong, path } of fixture.mistakes) {
      const { error } = type.settings.safeParse(wrong);
      expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
      for (const secret of secretsIn(wrong)) expect(error?.message).not.toContain(secret);
    }
    expect(type.settings.safeParse({ ...settings, unknown: 1 }).error?.issues).toMatchObject([
      { code: 'unrecognized_keys', keys: ['unknown'] },
    ]);
  });
});
