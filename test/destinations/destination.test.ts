import { describe, expect, test } from '@jest/globals';
import {
  allowedByIntegrations,
  connectionOf,
  route,
  type Connection,
  type Destination,
} from '../../src/destinations/destination.ts';
import { mixpanel } from '../../src/destinations/mixpanel.ts';
import { optimizely } from '../../src/destinations/optimizely.ts';
import { eventTypes, type EventType, type JsonObject } from '../../src/event.ts';
import { identifyEvent, trackEvent } from '../support/events.ts';

const connection = (name: string, events: readonly EventType[] = eventTypes): Connection => ({
  name,
  settings: { projectToken: name, region: 'us' },
  events: new Set(events),
  secrets: [name],
});

const shared = connection('mixpanel-eu');
const destination = (given: Partial<Destination> = {}): Destination => ({
  name: 'mixpanel-eu',
  type: mixpanel,
  shared,
  own: new Map(),
  retry: { firstDelayMs: 1, factor: 2, maxDelayMs: 1, giveUpAfterMs: 1 },
  keepMs: 1,
  timeoutMs: 1_000,
  ...given,
});

describe('integrations', () => {
  const allowed: [string, JsonObject, boolean][] = [
    ['nothing said: on', {}, true],
    ['All false: off', { All: false }, false],
    ['"all" as Go writes it: off', { all: false }, false],
    ['"ALL": off', { ALL: false }, false],
    ['All true: on', { All: true }, true],
    ['All as null or an object: on', { All: null }, true],
    ['All as an object: on', { All: {} }, true],
    ['the partner by name: off', { Mixpanel: false }, false],
    ['the partner against All: on', { All: false, Mixpanel: true }, true],
    ['options count as on', { All: false, Mixpanel: { region: 'eu' } }, true],
    ['null counts as on', { All: false, Mixpanel: null }, true],
    ['text counts as on', { All: false, Mixpanel: 'false' }, true],
    ['names are case-sensitive', { mixpanel: false }, true],
    ['another case does not switch on', { All: false, mixpanel: true }, false],
    ['the instance by its own name: off', { 'mixpanel-eu': false }, false],
    ['the instance before the partner: off', { Mixpanel: true, 'mixpanel-eu': false }, false],
    ['the instance before the partner: on', { Mixpanel: false, 'mixpanel-eu': true }, true],
    ['what analytics.js sends is no list of the allowed', { 'Segment.io': true }, true],
    ['others are of no concern', { Amplitude: false, Webhooks: true }, true],
  ];
  test.each(allowed)('%s', (_, integrations, expected) => {
    expect(allowedByIntegrations(integrations, destination())).toBe(expected);
  });
});

test('a destination may be named as what every object has', () => {
  const named = destination({ name: 'constructor' });
  expect(allowedByIntegrations({ All: false }, named)).toBe(false);
  expect(allowedByIntegrations({ All: false, constructor: true }, named)).toBe(true);
});

test('a partner is known by each of the names that Segment has had for it', () => {
  const named = destination({ name: 'experiments', type: optimizely });
  for (const name of ['Optimizely Full Stack', 'Optimizely X', 'Optimizely', 'experiments']) {
    expect(allowedByIntegrations({ [name]: false }, named)).toBe(false);
    expect(allowedByIntegrations({ All: false, [name]: true }, named)).toBe(true);
  }
  const both = { 'Optimizely Full Stack': true, Optimizely: false };
  expect(allowedByIntegrations(both, named)).toBe(true);
});

describe('sources', () => {
  test('every source shares the settings where none is named', () => {
    expect(connectionOf(destination(), 'website')).toBe(shared);
  });

  test('only the named ones, where some are', () => {
    const some = destination({ sources: new Set(['shop']) });
    expect(connectionOf(some, 'shop')).toBe(shared);
    expect(connectionOf(some, 'website')).toBeUndefined();
  });

  test('a connection of its own wins, and needs to be among the sources', () => {
    const own = connection('mixpanel-eu/shop');
    const both = destination({ own: new Map([['shop', own]]) });
    expect(connectionOf(both, 'shop')).toBe(own);
    expect(connectionOf(both, 'website')).toBe(shared);
    expect(connectionOf({ ...both, sources: new Set(['website']) }, 'shop')).toBeUndefined();
  });

  test('without shared settings, sources of no connection are left out', () => {
    const own = connection('mixpanel-eu/shop');
    const ownOnly = destination({ own: new Map([['shop', own]]) });
    delete ownOnly.shared;
    expect(connectionOf(ownOnly, 'shop')).toBe(own);
    expect(connectionOf(ownOnly, 'website')).toBeUndefined();
  });
});

describe('route', () => {
  test('takes the event types of the connection, not of the destination', () => {
    const own = connection('mixpanel-eu/shop', ['track']);
    const both = destination({ own: new Map([['shop', own]]) });
    expect(route(both, trackEvent(), 'shop')).toBe(own);
    expect(route(both, identifyEvent(), 'shop')).toBeUndefined();
    expect(route(both, identifyEvent(), 'website')).toBe(shared);
  });

  test('heeds integrations', () => {
    expect(route(destination(), trackEvent({ integrations: { All: false } }), 'shop')).toBe(
      undefined,
    );
  });

  test('sends nothing of an unnamed source', () => {
    expect(
      route(destination({ sources: new Set(['shop']) }), trackEvent(), 'website'),
    ).toBeUndefined();
  });
});
