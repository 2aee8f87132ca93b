import type { Plan } from '../delivery.ts';
import { attemptMs, route, type Destination } from '../destinations/destination.ts';
import type { SourceEvents } from '../temporal/events-encoding.ts';

/** A worker that is silent for so long is taken for dead; heartbeats come every 500 ms. */
const heartbeatMs = 10_000;

/** Plans a batch: a delivery to each destination that at least one of its events goes to. */
export const planBatch = (
  destinations: readonly Destination[],
  parts: readonly SourceEvents[],
): Plan => ({
  version: 1,
  ...(parts.length === 1 && { fairnessKey: parts[0]!.source }),
  events: parts.reduce((sum, { events }) => sum + events.length, 0),
  bytes: parts.reduce(
    (sum, { events }) => events.reduce((inPart, { json }) => inPart + json.length, sum),
    0,
  ),
  deliveries: destinations
    .filter((destination) =>
      parts.some(({ source, events }) =>
        events.some(({ event }) => route(destination, event, source) !== undefined),
      ),
    )
    .map((destination) => ({
      destination: destination.name,
      retry: destination.retry,
      attemptMs: attemptMs(destination),
      heartbeatMs,
      keepMs: destination.keepMs,
    })),
});
