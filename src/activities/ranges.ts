import { countRanges, type Places, type Ranges } from '../delivery.ts';

/** Ascending places → ranges. */
export const toRanges = (places: Iterable<number>): Ranges => {
  const ranges: Ranges = [];
  for (const place of places) {
    if (ranges.at(-1) === place) ranges[ranges.length - 1] = place + 1;
    else ranges.push(place, place + 1);
  }
  return ranges;
};

/** Ranges → the places in them, ascending. */
export const fromRanges = (ranges: Ranges): number[] => {
  const places: number[] = [];
  for (let at = 0; at < ranges.length; at += 2) {
    for (let place = ranges[at]!; place < ranges[at + 1]!; place++) places.push(place);
  }
  return places;
};

/** Place 0 is the lowest bit of the first byte. */
const toBitmap = (places: readonly number[]): string => {
  const bytes = Buffer.alloc(((places.at(-1) ?? -1) >> 3) + 1);
  for (const place of places) bytes[place >> 3]! |= 1 << (place & 7);
  return bytes.toString('base64');
};

/** Places, in any order → whichever form of the set is the shorter as JSON. */
export const packPlaces = (places: readonly number[]): Places => {
  const ascending = [...new Set(places)].sort((a, b) => a - b);
  const ranges = toRanges(ascending);
  const bitmap = toBitmap(ascending);
  return JSON.stringify(ranges).length <= bitmap.length + 2 ? ranges : bitmap;
};

/** Whether a place is in the set. */
export const hasPlace = (places: Places, place: number): boolean => {
  if (typeof places === 'string') {
    const byte = Buffer.from(places, 'base64')[place >> 3] ?? 0;
    return (byte & (1 << (place & 7))) !== 0;
  }
  return places.some((start, at) => at % 2 === 0 && start <= place && place < places[at + 1]!);
};

/** How many places a set holds. */
export const countPlaces = (places: Places): number => {
  if (typeof places !== 'string') return countRanges(places);
  let count = 0;
  for (const byte of Buffer.from(places, 'base64')) {
    for (let left = byte; left > 0; left &= left - 1) count += 1;
  }
  return count;
};
