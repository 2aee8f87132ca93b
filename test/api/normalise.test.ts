import { describe, expect, test } from '@jest/globals';
import { isDeepStrictEqual } from 'node:util';
import { normalise, type EventSurroundings } from '../../src/api/normalise.ts';
import { eventTypes, type Event } from '../../src/event.ts';
import { now } from './api-server.ts';

let ids = 0;
const around = (given: Partial<EventSurroundings> = {}): EventSurroundings => ({
  receivedAt: now,
  client: { ip: undefined, isUsers: false },
  newId: () => `given-${++ids}`,
  ...given,
});

/** The normalised event as it travels. */
const accepted = (raw: unknown, given: Partial<EventSurroundings> = {}): Event => {
  const result = normalise(raw, around(given));
  if ('code' in result) throw new Error(`${result.code}: ${result.message}`);
  const travelled = JSON.parse(result.json) as Event;
  expect(isDeepStrictEqual(result.event, travelled)).toBe(true); // destinations are handed the one or the other
  return travelled;
};
const refused = (raw: unknown, given: Partial<EventSurroundings> = {}): string => {
  const result = normalise(raw, around(given));
  return 'code' in result ? `${result.code}: ${result.message}` : 'accepted';
};

const track = (given: object = {}) => ({
  type: 'track',
  event: 'Order Completed',
  messageId: 'm-1',
  userId: 'u-1',
  ...given,
});

test('completes an event', () => {
  expect(
    accepted({ ...track({ writeKey: 'website-key' }), channel: 'server' }, { sentAt: 'never' }),
  ).toEqual({
    type: 'track',
    event: 'Order Completed',
    messageId: 'm-1',
    userId: 'u-1',
    channel: 'server',
    properties: {},
    context: {},
    integrations: {},
    timestamp: '2026-11-05T12:00:00.000Z',
    originalTimestamp: '2026-11-05T12:00:00.000Z',
    receivedAt: '2026-11-05T12:00:00.000Z',
    version: 2,
  });
});

test('numbers that JSON cannot write become what they are when it was written', () => {
  const properties = JSON.parse('{"a":1e999,"b":-0,"c":[-1e999,-0,1.5],"d":{"e":0}}') as object;
  expect(accepted(track({ properties }))).toMatchObject({
    properties: { a: null, b: 0, c: [null, 0, 1.5], d: { e: 0 } },
  });
});

test('the least of every type', () => {
  const least: Record<Event['type'], object> = {
    track: { event: 'e' },
    identify: {},
    page: {},
    screen: {},
    group: { groupId: 'g' },
    alias: { previousId: 'p' },
  };
  for (const type of eventTypes) {
    const payload = { track: 'properties', page: 'properties', screen: 'properties', alias: '' };
    const field = (payload as Record<string, string>)[type] ?? 'traits';
    expect(accepted({ userId: 'u', ...least[type] }, { type })).toMatchObject({
      type,
      userId: 'u',
      ...(field !== '' && { [field]: {} }),
    });
  }
});

// Segment drops properties past the 10,000th in silence. Here so many are more than an event may weigh
// (the shortest keys make 70 KB), which the client is told: see event_too_large.
test('properties are never cut', () => {
  const properties = Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [`k${n}`, n]));
  const event = accepted(track({ properties }));
  expect(event).toMatchObject({ properties });
  expect(JSON.stringify(event).length).toBeGreaterThan(32 * 1024);
});

test('the JSON is that of the event', () => {
  const result = normalise(track({ properties: { price: 7 } }), around());
  expect('json' in result && JSON.parse(result.json)).toEqual('event' in result && result.event);
});

describe('ids', () => {
  test.each([
    ['nulls, as Python sends them', { anonymousId: null, userId: 'u' }, { userId: 'u' }],
    ['numbers', { userId: 17, anonymousId: 0 }, { userId: '17', anonymousId: '0' }],
    ['the empty string', { userId: '', anonymousId: 'a' }, { anonymousId: 'a' }],
  ])('%s', (_, given, expected) => {
    const { userId, anonymousId } = accepted(track(given));
    expect({ userId, anonymousId }).toEqual({
      userId: undefined,
      anonymousId: undefined,
      ...expected,
    });
  });

  test.each([undefined, null, ''])('a messageId is given for %p', (messageId) => {
    expect(accepted(track({ messageId })).messageId).toMatch(/^given-\d+$/);
  });

  test('a messageId that is a number is text', () => {
    expect(accepted(track({ messageId: 12 })).messageId).toBe('12');
  });

  test('alias takes a userId that is the previous one', () => {
    expect(refused({ type: 'alias', userId: 'u1', previousId: 'u1' })).toBe('accepted');
  });
});

describe("the batch's context and integrations", () => {
  test('are the event’s where it has none', () => {
    const context = { library: { name: 'analytics-go', version: '3.3.0' } };
    expect(accepted(track(), { context, integrations: { All: false } })).toMatchObject({
      context,
      integrations: { All: false },
    });
  });

  test('are merged under its own, at every level; it wins', () => {
    const { context, integrations } = accepted(
      track({
        context: { app: { version: '2' }, tags: ['mine'], ip: null },
        integrations: { Mixpanel: false, all: true },
      }),
      {
        context: {
          library: { name: 'analytics-go' },
          app: { name: 'Shop', version: '1' },
          tags: ['a', 'b'],
          ip: '203.0.113.9',
        },
        integrations: { Mixpanel: { ids: { x: 1 } }, All: false },
      },
    );
    expect(context).toEqual({
      library: { name: 'analytics-go' },
      app: { name: 'Shop', version: '2' },
      tags: ['mine'],
      ip: null,
    });
    expect(integrations).toEqual({ Mixpanel: false, All: false, all: true });
  });

  test('stay as they are for the next event', () => {
    const context = { app: { name: 'Shop' } };
    accepted(track({ context: { app: { name: 'Mine' }, ip: '::1' } }), { context });
    expect(context).toEqual({ app: { name: 'Shop' } });
  });
});

describe("the client's address", () => {
  const v4 = '203.0.113.9';
  const v6 = '2001:db8::9';
  test.each([
    ["a server's", {}, v4, false, undefined],
    ["a server's that asks", { direct: true }, v4, false, v4],
    ["a server's that asks, IPv6", { direct: true }, v6, false, v6],
    ["a user's", {}, v4, true, v4],
    ["a user's, IPv6", {}, v6, true, undefined],
    ["a user's that asks, IPv6", { direct: true }, v6, true, v6],
    ["a user's that will not", { direct: false }, v4, true, undefined],
    ['one that knows better', { direct: true, ip: '198.51.100.7' }, v4, true, '198.51.100.7'],
    ['one that has none', { ip: null }, v4, true, null],
    ['text is no yes', { direct: 'true' }, v4, false, undefined],
    ['an address that is not known', { direct: true }, undefined, true, undefined],
  ])('%s: %p', (_, context, ip, isUsers, expected) => {
    const event = accepted(track({ context }), { client: { ip, isUsers } });
    expect(event.context).toEqual({ ...context, ...(expected !== undefined && { ip: expected }) });
  });

  test('is asked for by the batch too, and fills no other event', () => {
    const context = { direct: true };
    const given = { context, client: { ip: v4, isUsers: false } };
    expect(accepted(track(), given).context).toEqual({ direct: true, ip: v4 });
    expect(accepted(track({ context: { direct: false } }), given).context).toEqual({
      direct: false,
    });
    expect(context).toEqual({ direct: true });
  });
});

describe('what the client may not decide', () => {
  test.each([
    ['receivedAt', 'yesterday', '2026-11-05T12:00:00.000Z'],
    ['version', 99, 2],
    ['writeKey', 'website-key', undefined],
    ['writeKey', { secret: 1 }, undefined],
    ['sentAt', { $gt: '' }, undefined],
  ])('%s %p', (field, value, expected) => {
    expect((accepted(track({ [field]: value })) as object)[field as never]).toBe(expected);
  });

  test('the type, where the path has said it', () => {
    const event = { type: 'identify', userId: 'u', event: 'e' };
    expect(accepted(event, { type: 'track' }).type).toBe('track');
  });
});

describe('refuses', () => {
  test.each([
    ['null', null, 'invalid_event: The event must be a JSON object'],
    ['a list', [], 'invalid_event: The event must be a JSON object'],
    ['text', 'track', 'invalid_event: The event must be a JSON object'],
    ['no type', { userId: 'u' }, 'invalid_event: type: must be one of track, identify'],
    ['an unknown type', { type: 'merge' }, 'invalid_event: type: must be one of track, identify'],
    ['track without event', track({ event: undefined }), 'invalid_event: event: must be a non-'],
    ['a null event', track({ event: null }), 'invalid_event: event: must be a non-empty string'],
    ['an empty event', track({ event: '' }), 'invalid_event: event: must be a non-empty string'],
    ['a number for the event', track({ event: 5 }), 'invalid_event: event: must be a non-empty'],
    [
      'nobody',
      { type: 'track', event: 'e' },
      'no_user_anon_id: The event needs a userId or an anonymousId',
    ],
    ['empty ids', track({ userId: '', anonymousId: null }), 'no_user_anon_id'],
    ['an object for an id', track({ userId: {} }), 'invalid_event: userId: must be a string or'],
    ['a boolean for an id', track({ userId: true }), 'invalid_event: userId: must be a string or'],
    ['Infinity for an id', track({ userId: JSON.parse('1e999') }), 'invalid_event: userId: must'],
    [
      'a long messageId',
      track({ messageId: 'm'.repeat(101) }),
      'invalid_event: messageId: must be at most 100 characters long',
    ],
    ['a long userId', track({ userId: 'u'.repeat(513) }), 'invalid_event: userId: must be at most'],
    ['a group without id', { type: 'group', userId: 'u' }, 'invalid_event: groupId: must be a non'],
    [
      'an alias without previousId',
      { type: 'alias', userId: 'u', previousId: '' },
      'invalid_event: previousId: must be a non-empty string',
    ],
    ['an alias without userId', { type: 'alias', previousId: 'p' }, 'invalid_event: userId: must'],
    ['a list for properties', track({ properties: [] }), 'invalid_event: properties: must be an'],
    ['text for context', track({ context: 'x' }), 'invalid_event: context: must be an object'],
    [
      '101 levels',
      track({ properties: JSON.parse('{"a":'.repeat(100) + '1' + '}'.repeat(100)) }),
      'event_too_deep: The event has more than 100 levels',
    ],
    [
      'half a million levels, in a list',
      track({ x: JSON.parse('['.repeat(500_000) + ']'.repeat(500_000)) }),
      'event_too_deep',
    ],
  ])('%s', (_, raw, expected) => {
    expect(refused(raw)).toContain(expected);
  });

  test('no value of the event is in the words', () => {
    const secret = 's3cret-value';
    expect(refused(track({ messageId: secret.repeat(20), userId: [secret] }))).not.toContain(
      secret,
    );
  });
});

describe('harmless', () => {
  test('a hundred levels are taken', () => {
    const properties: unknown = JSON.parse('{"a":'.repeat(99) + '1' + '}'.repeat(99));
    expect(refused(track({ properties }))).toBe('accepted');
  });

  test('own __proto__ keys are dropped, wherever they are', () => {
    const raw: unknown = JSON.parse(
      '{"type":"track","event":"e","userId":"u","__proto__":{"polluted":1},' +
        '"properties":{"__proto__":{"polluted":1},"list":[{"__proto__":{"polluted":1},"a":1}]},' +
        '"context":{"\\u005f_proto__":{"polluted":1}}}',
    );
    const event = accepted(raw, {
      context: { app: {} },
    });
    expect(JSON.stringify(event)).not.toContain('polluted');
    expect(event).toMatchObject({ properties: { list: [{ a: 1 }] } });
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test('constructor and prototype are data like any other', () => {
    const properties = { constructor: { prototype: { polluted: 1 } }, prototype: 1, toString: 'x' };
    const raw: unknown = JSON.parse(JSON.stringify(track({ context: properties, properties })));
    expect(accepted(raw, { context: { constructor: { name: 'x' } } })).toMatchObject({
      properties,
      context: { constructor: { prototype: { polluted: 1 }, name: 'x' } },
    });
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
