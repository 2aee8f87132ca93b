import type { Connection, Destination } from '../destinations/destination.ts';
import { route } from '../destinations/destination.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';

/** Which events go by which connection, and how many go by none. */
export interface Selection {
  byConnection: Map<Connection, number[]>;
  filtered: number;
}

/** Sorts places of a batch by the connection that each event goes by; order is kept. */
export const select = (
  destination: Destination,
  batch: readonly BatchedEvent[],
  places: Iterable<number>,
): Selection => {
  const selection: Selection = { byConnection: new Map(), filtered: 0 };
  for (const place of places) {
    const { event, source } = batch[place]!;
    const connection = route(destination, event, source);
    if (connection === undefined) {
      selection.filtered += 1;
      continue;
    }
    const chosen = selection.byConnection.get(connection);
    if (chosen === undefined) selection.byConnection.set(connection, [place]);
    else chosen.push(place);
  }
  return selection;
};
