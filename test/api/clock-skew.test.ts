import { describe, expect, test } from '@jest/globals';
import { correctTimes, parseTime } from '../../src/api/clock-skew.ts';

const utc = (text: string): number => Date.parse(text);

describe('a time that a client wrote', () => {
  test.each([
    ['JS', '2026-11-05T10:20:06.547Z', '2026-11-05T10:20:06.547Z'],
    ['Python 2.4', '2026-11-05T10:20:51.754+00:00', '2026-11-05T10:20:51.754Z'],
    ['Python 1.4, six digits', '2026-11-05T10:20:51.754123+00:00', '2026-11-05T10:20:51.754Z'],
    ['Go, nine digits', '2026-11-05T10:20:47.795645041Z', '2026-11-05T10:20:47.795Z'],
    ['no fraction', '2026-11-05T10:20:47Z', '2026-11-05T10:20:47.000Z'],
    ['no seconds', '2026-11-05T10:20Z', '2026-11-05T10:20:00.000Z'],
    ['another zone', '2026-11-05T10:20:47+02:00', '2026-11-05T08:20:47.000Z'],
    ['a zone without colon', '2026-11-05T10:20:47.1+0230', '2026-11-05T07:50:47.100Z'],
    ['no zone: UTC, wherever the server is', '2026-11-05T10:20:47.5', '2026-11-05T10:20:47.500Z'],
    ['a space for the T', '2026-11-05 10:20:47', '2026-11-05T10:20:47.000Z'],
    ['a comma', '2026-11-05T10:20:47,25Z', '2026-11-05T10:20:47.250Z'],
    ['a date', '2026-11-05', '2026-11-05T00:00:00.000Z'],
    ['small letters', '2026-11-05t10:20:47z', '2026-11-05T10:20:47.000Z'],
  ])('%s', (_, text, expected) => {
    expect(parseTime(text)).toBe(utc(expected));
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['words', 'yesterday'],
    ['the empty string', ''],
    ['a month that is none', '2026-13-05T10:20:47Z'],
    ['an hour that is none', '2026-11-05T25:20:47Z'],
    ['what Date alone would take', '5 Nov 2026 10:20'],
    ['a number', 1_793_872_847_000],
    ['an object', {}],
    ['a million digits', `2026-11-05T10:20:47.${'1'.repeat(1_000_000)}x`],
  ])('%s is none', (_, value) => {
    expect(parseTime(value)).toBeUndefined();
  });
});

describe('clock skew', () => {
  const received = utc('2026-11-05T12:00:00.000Z');
  const times = (
    posted: Parameters<typeof correctTimes>[0],
    sentAt?: unknown,
  ): { timestamp: string; originalTimestamp: string; sentAt: string | undefined } =>
    correctTimes(posted, received, sentAt);

  test.each([
    [
      'an honest clock: the time the request took is added',
      { timestamp: '2026-11-05T11:59:50.000Z' },
      '2026-11-05T11:59:59.500Z',
      { timestamp: '2026-11-05T11:59:50.500Z', originalTimestamp: '2026-11-05T11:59:50.000Z' },
    ],
    [
      'a clock three hours fast',
      { timestamp: '2026-11-05T14:59:50.000Z' },
      '2026-11-05T15:00:00.000Z',
      { timestamp: '2026-11-05T11:59:50.000Z', originalTimestamp: '2026-11-05T14:59:50.000Z' },
    ],
    [
      'history with an honest sentAt keeps its age',
      { timestamp: '2020-01-01T00:00:00.000Z' },
      '2026-11-05T12:00:00.000Z',
      { timestamp: '2020-01-01T00:00:00.000Z', originalTimestamp: '2020-01-01T00:00:00.000Z' },
    ],
    [
      'no sentAt: the clock is believed',
      { timestamp: '2026-11-05T11:00:00.000Z' },
      undefined,
      { timestamp: '2026-11-05T11:00:00.000Z', originalTimestamp: '2026-11-05T11:00:00.000Z' },
    ],
    [
      'no timestamp: received now, whatever sentAt says',
      {},
      '2026-11-05T15:00:00.000Z',
      { timestamp: '2026-11-05T12:00:00.000Z', originalTimestamp: '2026-11-05T12:00:00.000Z' },
    ],
    [
      'rudder-sdk-node: originalTimestamp and sentAt in the event',
      { originalTimestamp: '2026-11-05T12:59:00.000Z', sentAt: '2026-11-05T13:00:00.000Z' },
      undefined,
      { timestamp: '2026-11-05T11:59:00.000Z', originalTimestamp: '2026-11-05T12:59:00.000Z' },
    ],
    [
      "an event's own sentAt comes before the batch's",
      { timestamp: '2026-11-05T12:59:00.000Z', sentAt: '2026-11-05T13:00:00.000Z' },
      '2026-11-05T20:00:00.000Z',
      { timestamp: '2026-11-05T11:59:00.000Z' },
    ],
    [
      'but not where it cannot be read',
      { timestamp: '2026-11-05T12:59:00.000Z', sentAt: 'soon' },
      '2026-11-05T13:00:00.000Z',
      { timestamp: '2026-11-05T11:59:00.000Z', sentAt: '2026-11-05T13:00:00.000Z' },
    ],
    [
      'an unreadable timestamp: received now',
      { timestamp: 'soon' },
      '2026-11-05T15:00:00.000Z',
      { timestamp: '2026-11-05T12:00:00.000Z', originalTimestamp: '2026-11-05T12:00:00.000Z' },
    ],
    [
      'a correction beyond the calendar: received now',
      { timestamp: '9999-01-01T00:00:00Z' },
      '0001-01-01T00:00:00Z',
      { timestamp: '2026-11-05T12:00:00.000Z', originalTimestamp: '9999-01-01T00:00:00.000Z' },
    ],
  ])('%s', (_, posted, sentAt, expected) => {
    expect(times(posted, sentAt)).toMatchObject(expected);
  });

  test('sentAt is absent where none can be read', () => {
    expect(times({ sentAt: 7 }, null).sentAt).toBeUndefined();
  });
});
