import { heavyBytes } from '../delivery.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { AcceptedEvent, SourceEvents } from '../temporal/events-encoding.ts';
import { BatchTooLarge, type StartBatch } from './start-batch.ts';
import { createWaitingLine, type Gaps, type LineLimits, type Waiting } from './waiting-line.ts';

/** Takes requests' events, and starts batches of them. */
export interface Coalescer {
  /**
   * Answers with the batch's id (`batch-…`) once a workflow that holds all these events is durable.
   * @throws Overloaded where they cannot be taken, or not be made durable in time; BatchTooLarge
   * where no batch can hold them
   */
  submit: (source: string, events: readonly AcceptedEvent[]) => Promise<string>;
  /** Why so many more bytes of a source would not be taken now, if so: to be asked before any work. */
  refusal: (source: string, bytes: number) => Overloaded | undefined;
}

/** Events were not taken, and nothing was kept of them: the client should come again. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
  /** 429 where one source holds more than its share, else 503. */
  readonly status: 429 | 503;
  readonly retryAfterSeconds: number;

  constructor(status: 429 | 503, message: string, retryAfterSeconds: number) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Bounds and paces; bytes are of JSON text, which is about what the memory holds. */
export interface CoalescerLimits extends LineLimits {
  /** Least time between two starts under load, and the most when the cluster is behind, in ms. */
  shortestGapMs: number;
  longestGapMs: number;
  /** The most between two of a busy source's own. */
  longestBusyGapMs: number;
  /** Starts under way at a time. */
  starts: number;
  /** Most bytes held, waiting or being started, of all sources and of one. */
  heldBytes: number;
  heldBytesOfSource: number;
  /**
   * The longest that events wait to be started, in ms, before they are given back with 503: with
   * the longest turn and start, less than the 10 s that SDKs wait for an answer.
   */
  patienceMs: number;
}

export const defaultLimits: CoalescerLimits = {
  events: 5_000,
  bytes: 4 * 1024 * 1024,
  ownBatchEvents: 1_000,
  ownBatchBytes: heavyBytes,
  shortestGapMs: 25,
  longestGapMs: 500,
  longestBusyGapMs: 2_000,
  starts: 8,
  heldBytes: 96 * 1024 * 1024,
  heldBytesOfSource: 32 * 1024 * 1024,
  patienceMs: 3_000,
};

const retryAfterSeconds = 2;

const partsOf = (requests: readonly Waiting[]): SourceEvents[] => {
  const bySource = new Map<string, AcceptedEvent[]>();
  for (const { source, events } of requests) {
    const known = bySource.get(source);
    if (known === undefined) bySource.set(source, [...events]);
    else known.push(...events);
  }
  return [...bySource].map(([source, events]) => ({ source, events }));
};

/**
 * Puts requests that arrive close together into one batch, whatever their source. Idle: a batch is
 * started at once. Busy: starts are a gap apart, and batches grow; the gap follows `lagMs`. A source
 * with enough events waiting has batches of its own, the others share, and they take turns.
 * @param lagMs how far behind the cluster is, in ms
 * @param heavyLagMs how much longer large batches wait to be worked on, in ms
 */
export const createCoalescer = ({
  start,
  lagMs,
  heavyLagMs = () => 0,
  metrics,
  log,
  limits = defaultLimits,
}: {
  start: StartBatch;
  lagMs: () => number;
  heavyLagMs?: () => number;
  metrics: Metrics['batches'];
  log: Logger;
  limits?: CoalescerLimits;
}): Coalescer => {
  const line = createWaitingLine(limits);
  const heldOf = new Map<string, number>();
  let held = 0;
  let starting = 0;
  let timer: NodeJS.Timeout | undefined;

  const hold = (source: string, bytes: number): void => {
    held += bytes;
    const ofSource = (heldOf.get(source) ?? 0) + bytes;
    if (ofSource === 0) heldOf.delete(source);
    else heldOf.set(source, ofSource);
  };

  const settle = (requests: readonly Waiting[], tell: (request: Waiting) => void): void => {
    for (const request of requests) {
      hold(request.source, -request.bytes);
      tell(request);
    }
  };

  const run = async (requests: readonly Waiting[]): Promise<void> => {
    const began = performance.now();
    const observe = (result: string): void =>
      metrics.startSeconds.observe({ result }, (performance.now() - began) / 1_000);
    try {
      const batch = await start(partsOf(requests));
      observe('started');
      metrics.events.observe(requests.reduce((sum, { events }) => sum + events.length, 0));
      settle(requests, ({ resolve }) => resolve(batch));
    } catch (error) {
      if (error instanceof BatchTooLarge && requests.length > 1) {
        const middle = Math.ceil(requests.length / 2);
        await Promise.all([run(requests.slice(0, middle)), run(requests.slice(middle))]);
      } else if (error instanceof BatchTooLarge) {
        settle(requests, ({ reject }) => reject(error));
      } else {
        log.error(
          { err: error },
          'a batch could not be started; its clients are asked to come again',
        );
        const refusal = new Overloaded(
          503,
          'Events cannot be stored at the moment',
          retryAfterSeconds,
        );
        settle(requests, ({ reject }) => reject(refusal));
      }
    }
  };

  let lookedForOverdue = -Infinity;
  const giveBackOverdue = (): void => {
    const present = performance.now();
    if (present - lookedForOverdue < limits.patienceMs / 16) return;
    lookedForOverdue = present;
    const overdue = line.takeOlderThan(present - limits.patienceMs);
    const refusal = new Overloaded(503, 'Events could not be stored in time', retryAfterSeconds);
    settle(overdue, ({ reject }) => reject(refusal));
  };

  const gaps = (): Gaps => {
    const gapMs = limits.shortestGapMs + lagMs();
    return {
      shared: Math.min(gapMs, limits.longestGapMs),
      busy: Math.min(gapMs + heavyLagMs(), limits.longestBusyGapMs),
    };
  };

  /** Starts what is due, and sets the clock for the rest. */
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    giveBackOverdue();
    while (!line.isEmpty()) {
      const next =
        starting >= limits.starts ? limits.longestGapMs : line.next(performance.now(), gaps());
      if (typeof next === 'number') {
        timer = setTimeout(flush, Math.ceil(next)); // Node would cut it off
        timer.unref(); // whoever waits for it holds the process open by its connection
        return;
      }
      starting += 1;
      void run(next).finally(() => {
        starting -= 1;
        flush();
      });
    }
  };

  let flushSoon = false;
  const refusal: Coalescer['refusal'] = (source, bytes) => {
    if ((heldOf.get(source) ?? 0) + bytes > limits.heldBytesOfSource) {
      const words = `The source ${source} sends faster than its events can be stored`;
      return new Overloaded(429, words, retryAfterSeconds);
    }
    return held + bytes > limits.heldBytes
      ? new Overloaded(503, 'More events arrive than can be stored', retryAfterSeconds)
      : undefined;
  };

  return {
    refusal,
    submit: (source, events) => {
      const bytes = events.reduce((sum, { json }) => sum + json.length, 0);
      const refused = refusal(source, bytes);
      if (refused !== undefined) return Promise.reject(refused);
      hold(source, bytes);
      const durable = new Promise<string>((resolve, reject) => {
        line.add({ source, events, bytes, since: performance.now(), resolve, reject });
      });
      if (!flushSoon) {
        // Requests that are read in the same turn of the event loop share a batch even when idle.
        flushSoon = true;
        setImmediate(() => {
          flushSoon = false;
          flush();
        });
      }
      return durable;
    },
  };
};
