import type { FilterRule } from '../delivery.ts';
import { routeOrRule, type Connection, type Destination } from '../destinations/destination.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';

/**
 * Sorts places of a batch by the connection that each event goes by; order is kept.
 * @param filter told of each that goes by none, and why
 */
export const select = (
  destination: Destination,
  batch: readonly BatchedEvent[],
  places: Iterable<number>,
  filter: (place: number, rule: FilterRule) => void,
): Map<Connection, number[]> => {
  const byConnection = new Map<Connection, number[]>();
  for (const place of places) {
    const { event, source } = batch[place]!;
    const found = routeOrRule(destination, event, source);
    if (typeof found === 'string') {
      filter(place, found);
      continue;
    }
    const chosen = byConnection.get(found);
    if (chosen === undefined) byConnection.set(found, [place]);
    else chosen.push(place);
  }
  return byConnection;
};
