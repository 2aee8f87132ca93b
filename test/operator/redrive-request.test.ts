import { expect, test } from '@jest/globals';
import { parseRate, parseReasons, parseSince } from '../../src/operator/redrive-request.ts';

test.each([
  ['20/s', 20],
  ['0.5/s', 0.5],
  ['90/m', 1.5],
  ['36/h', 0.01],
])('the rate %s is %d a second', (text, perSecond) => {
  expect(parseRate(text)).toBe(perSecond);
});

test.each(['20', 'fast', '0/s', '-1/s', '20/d', '1001/s', '20 / s', ''])(
  'the rate %j is refused with an example',
  (text) => {
    expect(() => parseRate(text)).toThrow('such as 20/s or 90/m');
  },
);

test('a time back is read as the configuration reads durations', () => {
  expect(parseSince('1.5h')).toEqual({ ms: 5_400_000, text: '1.5h' });
  expect(() => parseSince('monday')).toThrow('such as 30m');
});

test('reasons are known words', () => {
  expect(parseReasons('rate_limited, refused')).toEqual(['rate_limited', 'refused']);
  expect(() => parseReasons('rate_limited,tired')).toThrow('one of rate_limited, unavailable,');
  expect(() => parseReasons('toString')).toThrow('one of');
});
