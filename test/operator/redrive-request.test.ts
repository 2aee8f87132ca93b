import { describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../src/config.ts';
import {
  parseRate,
  parseReasons,
  parseSince,
  redriveRequest,
} from '../../src/operator/redrive-request.ts';

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

describe("one source's events at a destination that is not configured any more", () => {
  const config = parseConfig(
    JSON.stringify({ sources: [{ name: 'shop', writeKey: 'key-of-shop' }], destinations: [] }),
    {},
    'of the test',
  );
  /** @param named what open batches have, by search attribute and value */
  const requestWhere = (named: string[]) =>
    redriveRequest(
      { destination: 'gone', source: 'shop' },
      config,
      {
        count: (query) =>
          Promise.resolve(named.some((condition) => query.includes(condition)) ? 1 : 0),
      },
      Date.now(),
    );

  test('go alone where batches are stuck at its own connection', async () => {
    const { choice, passes, words, notes } = await requestWhere([
      "Destinations = 'gone'",
      "StuckDestinations = 'gone/shop'",
    ]);
    expect([choice, words]).toEqual([{ names: ['gone/shop'] }, 'at gone/shop']);
    expect(passes[0]!.query).toContain("StuckDestinations = 'gone/shop'");
    expect(notes).toEqual([expect.stringContaining('not in the configuration any more')]);
  });

  test("go with others' where none is, and the note says so", async () => {
    const { choice, words, notes } = await requestWhere(["Destinations = 'gone'"]);
    expect([choice, words]).toEqual([{ names: ['gone'] }, 'at gone, of shop']);
    expect(notes[1]).toMatch(/^No open batch is stuck at gone\/shop: .* theirs go, too\.$/);
  });
});
