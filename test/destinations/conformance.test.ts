import { describe, expect, test, jest } from '@jest/globals';
import { existsSync, readdirSync } from 'node:fs';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { join } from 'node:path';
import { chunk } from '../../src/activities/chunk.ts';
import { classify } from '../../src/activities/classify.ts';
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

/** Files of src/destinations that are no destination type. */
const others = ['define', 'destination', 'index'];
const sourceFolder = join(__dirname, '../../src/destinations');

const namesIn = (folder: string, ending: string): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));

const types = destinationTypes.map(({ type }) => type);

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
};

const mapped = (type: DestinationType, event: Event, settings: JsonObject): unknown =>
  (type.events[event.type] as (event: Event, settings: JsonObject) => unknown)(event, settings);

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
  expect(types).toEqual(
    namesIn(sourceFolder, '.ts')
      .filter((file) => !others.includes(file))
      .sort(),
  );
  const names = destinationTypes.map(({ name }) => name);
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
  });

  test('has an example for each event type that it supports, with its provenance', () => {
    const shown = examples.flatMap(({ events }) => events.map((event) => event.type));
    expect(eventTypes.filter((each) => shown.includes(each))).toEqual(supported);
    expect(fixture.responses.length).toBeGreaterThan(0);
    for (const { provenance } of [...fixture.requests, ...fixture.responses]) {
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
      requestsFor(type, events, example.settings ?? settings, { time })[0]!;
    const first = build(attempt.time);
    expect(build(attempt.time)).toEqual(first);

    const keys = fixture.dedupeKeys(first);
    expect(keys).toHaveLength(events.length);
    expect(new Set(keys).size).toBe(events.length);
    for (const later of [1_000, 4 * 3_600_000]) {
      expect(fixture.dedupeKeys(build(attempt.time + later))).toEqual(keys);
    }
  });

  test('rejects before it is sent what the partner would refuse', () => {
    for (const { event, reason } of fixture.unmappable) {
      expect(() => mapped(type, event, type.settings.parse(settings))).toThrow(new Error(reason));
    }
  });

  test.each(fixture.responses)('answer: $title', ({ events, response, outcomes }) => {
    const parsed = type.settings.parse(settings);
    const items = events.map((event) => mapped(type, event, parsed));
    expect(classify(type, deepFreeze(response), items, attempt.time)).toEqual(outcomes);
  });

  test.each(supported)('odd %s events make a sound request or are rejected with words', (each) => {
    const parsed = deepFreeze(type.settings.parse(settings));
    for (const event of oddEvents(each).map(deepFreeze)) {
      let item: unknown;
      try {
        item = mapped(type, event, parsed);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        const { constructor, message } = error as Error;
        expect(constructor).toBe(Error); // a TypeError would be a fault of the mapper
        for (const secret of secretsIn(settings)) expect(message).not.toContain(secret);
        continue;
      }
      if (item === null) continue;
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
    for (const limit of [max, type.batch?.maxBytes ?? 1, type.timeoutMs ?? 1]) {
      expect(limit).toBeGreaterThanOrEqual(1);
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
