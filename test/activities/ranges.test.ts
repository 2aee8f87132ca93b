import { expect, test } from '@jest/globals';
import { fromRanges, hasPlace, packPlaces, toRanges } from '../../src/activities/ranges.ts';

const placesIn = (count: number, isIn: (place: number) => boolean): number[] =>
  Array.from({ length: count }, (_, place) => place).filter(isIn);

test('places become ranges and again places', () => {
  expect(toRanges([0, 1, 2, 7])).toEqual([0, 3, 7, 8]);
  expect(fromRanges([0, 3, 7, 8])).toEqual([0, 1, 2, 7]);
});

test('few places, or long runs of them, pack as ranges; in whatever order they come', () => {
  expect(packPlaces([])).toEqual([]);
  expect(packPlaces([907, 900, 902, 901, 907])).toEqual([900, 903, 907, 908]);
  expect(packPlaces(placesIn(2_500, () => true))).toEqual([0, 2_500]);
});

test('many scattered places pack as a bitmap, its lowest bit first', () => {
  const scattered = placesIn(2_500, (place) => place % 2 === 1);
  expect(packPlaces(scattered)).toBe(
    Buffer.alloc(313, 0xaa).subarray(0, 312).toString('base64') + 'Cg==',
  );
  expect(packPlaces(placesIn(24, (place) => place % 3 === 0))).toBe(
    Buffer.of(0b01001001, 0b10010010, 0b00100100).toString('base64'),
  );
});

test.each([
  ['none', () => false],
  ['all', () => true],
  ['the first and the last', (place: number) => place === 0 || place === 99],
  ['every other one', (place: number) => place % 2 === 0],
  ['three of four', (place: number) => place % 4 !== 1],
])('a set knows what is in it: %s', (_, isIn) => {
  const places = placesIn(100, isIn);
  const packed = packPlaces(places);
  expect(placesIn(200, (place) => hasPlace(packed, place))).toEqual(places);
});
