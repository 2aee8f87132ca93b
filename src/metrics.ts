import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * What the process counts and measures. Each part of the road is handed its own section, so that a
 * part cannot count for another; a part is added here, in the same form. No label names a source:
 * there may be thirty thousand.
 */
export const createMetrics = () => {
  const registry = new Registry();
  const registers = [registry];
  return {
    api: {
      accepted: new Counter({
        name: 'distributary_api_events_accepted_total',
        help: 'Events that were made durable.',
        registers,
      }),
      duplicates: new Counter({
        name: 'distributary_api_events_duplicate_total',
        help: 'Events that repeated an earlier one, and were answered as accepted.',
        registers,
      }),
      rejected: new Counter({
        name: 'distributary_api_events_rejected_total',
        help: "Events that were refused, by the answer's code.",
        labelNames: ['code'],
        registers,
      }),
      requestSeconds: new Histogram({
        name: 'distributary_api_request_duration_seconds',
        help: 'From the head of a request to the end of its answer, by path and status.',
        labelNames: ['route', 'status'],
        buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
        registers,
      }),
    },
    batches: {
      events: new Histogram({
        name: 'distributary_batch_events',
        help: 'How many events a started batch holds.',
        buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000],
        registers,
      }),
      startSeconds: new Histogram({
        name: 'distributary_batch_start_duration_seconds',
        help: 'From asking Temporal to start a batch to its answer, by whether it was started.',
        labelNames: ['result'],
        buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
        registers,
      }),
    },
    deliveries: {
      events: new Counter({
        name: 'distributary_delivery_events_total',
        help: 'Events settled at a destination, by outcome.',
        labelNames: ['destination', 'outcome'],
        registers,
      }),
      attempts: new Counter({
        name: 'distributary_delivery_attempts_total',
        help: 'Attempts of deliveries, by what they left: settled, unsettled or parked events.',
        labelNames: ['destination', 'result'],
        registers,
      }),
      requestSeconds: new Histogram({
        name: 'distributary_delivery_request_duration_seconds',
        help: 'Requests to a partner, by status or by why there was none.',
        labelNames: ['destination', 'status'],
        buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
        registers,
      }),
      failing: new Gauge({
        name: 'distributary_delivery_failing',
        help:
          'Open breakers in this process: connections, partner origins, or all of the destination, ' +
          'that are only tried now and then.',
        labelNames: ['destination', 'scope'],
        registers,
      }),
      queueSeconds: new Histogram({
        name: 'distributary_delivery_queue_duration_seconds',
        help: "How long a first pass waited in its destination's queue.",
        labelNames: ['destination'],
        buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
        registers,
      }),
    },
    /** All of it in Prometheus' text format. */
    expose: async (): Promise<{ contentType: string; body: string }> => ({
      contentType: registry.contentType,
      body: await registry.metrics(),
    }),
  };
};

export type Metrics = ReturnType<typeof createMetrics>;
