import type { Breathe } from '../breather.ts';
import type { Destination } from '../destinations/destination.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';
import type { Placed } from './chunk.ts';
import type { Part } from './ledger.ts';

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/**
 * Maps a part's events to items; what cannot be mapped or is too old for the partner is rejected, what has
 * nothing to send filtered.
 */
export const mapPart = async (
  part: Part,
  destination: Destination,
  batch: readonly BatchedEvent[],
  now: () => number,
  breathe: Breathe,
): Promise<Placed[]> => {
  const { type, name, maxAgeMs = Infinity } = destination.type;
  const mappers = destination.type.events as Record<
    string,
    (event: unknown, settings: unknown) => unknown
  >;
  const tooOld = `older than the ${maxAgeMs / 3_600_000} h that ${name} takes`;
  const placed: Placed[] = [];
  for (const place of part.places) {
    const { event } = batch[place]!;
    const reject = (reason: string): void =>
      part.settle(place, { kind: 'rejected', reason }, now());
    try {
      const item = mappers[event.type]!(event, part.connection.settings);
      if (item === null) part.filter(place);
      else if (now() - Date.parse(event.timestamp) > maxAgeMs) reject(tooOld);
      else placed.push({ place, item });
    } catch (error) {
      reject(`${type} cannot map this event: ${messageOf(error)}`);
    }
    await breathe();
  }
  return placed;
};
