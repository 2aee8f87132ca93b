import { describe, expect, test } from '@jest/globals';
import { pick, placeTable, rename, scalars, within } from '../../src/destinations/fields.ts';
import { known, named, personOf, plainId, uuidOf } from '../../src/destinations/ids.ts';
import { amount, amountIn, hundredths, integerIn, numberIn } from '../../src/destinations/money.ts';

describe('money', () => {
  test.each([
    [19.99, 1_999],
    [1.005, 101],
    [-1.005, -101],
    [0.29, 29],
    [1.15, 115],
    [8.2, 820],
    [1_234_567.89, 123_456_789],
    [0, 0],
    [-0.001, 0],
    [1e-7, 0],
    [5e13, 5e15],
  ])('%d units are %d hundredths', (units, expected) => {
    expect(hundredths(units)).toBe(expected);
  });

  test('an integer that would not be exact is refused', () => {
    for (const units of [1e14, 1e21, Number.MAX_VALUE]) {
      expect(() => hundredths(units)).toThrow('an amount of money is too large');
    }
  });

  test('amounts are numbers and texts that hold one', () => {
    expect([5, -5, '19.99', ' 7 ', '$3.50', '-$1', '0'].map(amount)).toEqual([
      5, -5, 19.99, 7, 3.5, -1, 0,
    ]);
    expect([undefined, null, ''].map(amount)).toEqual([undefined, undefined, undefined]);
    for (const no of ['much', '1,5', '1e3', '5 USD', [5], {}, true, NaN, Infinity, ' ']) {
      expect(() => amount(no)).toThrow(new Error('an amount of money is not a number'));
      expect(amountIn(no)).toBeUndefined();
    }
  });
});

test('numbers are those in texts, too, and no amounts', () => {
  expect(['4.5', ' -3 ', 7].map(numberIn)).toEqual([4.5, -3, 7]);
  expect(['$3', '1e3', '', null, [], NaN].map(numberIn)).toEqual(Array(6).fill(undefined));
  expect(['3', 1.5, '1.5', 2 ** 53].map(integerIn)).toEqual([3, undefined, undefined, undefined]);
});

describe('ids', () => {
  const uuid = '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d01';

  test("an SDK's uuid is taken as it is, and no other's", () => {
    for (const id of [uuid, `ajs-next-1772618370250-${uuid}`, `node-next-1772618370250-${uuid}`]) {
      expect(uuidOf(id)).toBe(uuid);
      expect(plainId(id, 36)).toBe(uuid);
    }
    // Two events of one uuid are two.
    const [order, refund] = [uuidOf(`order-${uuid}`), uuidOf(`refund-${uuid}`)];
    expect(new Set([order, refund, uuid]).size).toBe(3);
    expect(plainId(`order-${uuid}`, 36)).not.toBe(plainId(`refund-${uuid}`, 36));
  });

  test('a uuid made of an id has the form of version 5, and is the same each time', () => {
    for (const id of [
      '',
      'order-17',
      '☃',
      'x'.repeat(100),
      '00000000-0000-0000-0000-000000000000',
    ]) {
      expect(uuidOf(id)).toMatch(
        /^[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
      );
      expect(uuidOf(id)).toBe(uuidOf(id));
    }
    // As `uuid5` of Python's standard library has it.
    expect(uuidOf('order-17')).toBe('ccbaa49d-7161-524b-8674-0dd4103ba4d6');
  });

  test('what clients send for nobody names nobody', () => {
    for (const id of [undefined, 'null', 'undefined', 'anonymous', '0', '-1', '[]', '{}', 'n/a']) {
      expect(() => named(id)).toThrow(new Error(`the id "${id ?? ''}" names nobody`));
    }
    expect(named('Null')).toBe('Null');
  });
});

describe('fields', () => {
  test('are picked from the first place that has one', () => {
    const table = placeTable({
      url: ['properties.url', 'context.page.url'],
      os: 'context.os.name',
    });
    const page = { url: 'https://b.example/' };
    expect(pick({ properties: { url: null }, context: { page, os: 'Linux' } }, table)).toEqual(
      page,
    );
    expect(pick({ properties: { url: '' }, context: { page } }, table)).toEqual({
      url: 'https://b.example/',
    });
    expect(pick(null, table)).toEqual({});
  });

  test('are renamed, and those of no other name kept', () => {
    const source = { email: 'a', toString: 'b', plan: null };
    expect(rename(source, { email: '$email' })).toEqual({
      $email: 'a',
      toString: 'b',
      plan: null,
    });
  });

  test('are scalar, of a kind, so many and so long', () => {
    const source = { n: 1, t: 'text', b: false, list: [1], none: null, at: {}, far: Infinity };
    expect(scalars(source)).toEqual({ n: 1, t: 'text', b: false });
    const limits = {
      most: 2,
      name: /^[a-z]+$/,
      longest: 3,
      longestOf: { long: 4 },
      always: { x: 1 },
    };
    expect(within({ N: 1, short: 'abcd', long: 'abcde', more: 1 }, { ...limits, most: 3 })).toEqual(
      {
        x: 1,
        short: 'abc',
        long: 'abcd',
      },
    );
    expect(within({ constructor: 'abcd', x: 2 }, { ...limits, written: { x: String } })).toEqual({
      x: '2',
      constructor: 'abc',
    });
    expect(within({ smile: 'ab😀' }, limits)).toEqual({ x: 1, smile: 'ab' });
  });
});

test('a person is the first id that names somebody', () => {
  expect(personOf({ userId: 'null', anonymousId: 'a-1' })).toBe('a-1');
  expect(personOf({ userId: 'u-1', anonymousId: 'anonymous' })).toBe('u-1');
  expect(known('anonymous')).toBeUndefined();
  expect(() => personOf({ userId: 'null' })).toThrow('names nobody');
});
