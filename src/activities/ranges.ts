import type { Ranges } from '../delivery.ts';

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
