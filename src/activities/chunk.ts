import type { DestinationType } from '../destinations/define.ts';

/** An event's item, with the event's place in the batch. */
export interface Placed {
  place: number;
  item: unknown;
}

/**
 * Puts items into requests: of one group, at most `max` each, in order. How many bytes a request
 * has shows only once it is built, so the sender halves those that are too large.
 * @param most what earlier halving has shown to be the most that is worth a try
 */
export const chunk = (
  type: DestinationType,
  items: readonly Placed[],
  most = Infinity,
): Placed[][] => {
  if (type.batch === undefined) return items.map((item) => [item]);
  const { groupBy } = type.batch;
  const max = Math.min(type.batch.max, most);
  const open = new Map<string, Placed[]>();
  const chunks: Placed[][] = [];
  for (const placed of items) {
    const group = groupBy?.(placed.item) ?? '';
    let current = open.get(group);
    if (current === undefined || current.length >= max) {
      current = [];
      open.set(group, current);
      chunks.push(current);
    }
    current.push(placed);
  }
  return chunks;
};

/** Both halves of a request that was too large. */
export const halves = (items: readonly Placed[]): [Placed[], Placed[]] => {
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
};
