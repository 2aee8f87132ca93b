import type { AcceptedEvent } from '../temporal/events-encoding.ts';

/** One request's events, waiting to be started. */
export interface Waiting {
  source: string;
  events: readonly AcceptedEvent[];
  bytes: number;
  /** In ms since the epoch. */
  since: number;
  resolve: (batch: string) => void;
  reject: (error: Error) => void;
}

export interface LineLimits {
  /** Most events of a batch; at least as many as one request may bring. */
  events: number;
  /** Most bytes of a batch, unless one request alone has more. */
  bytes: number;
  /** A source with so many events waiting gets batches of its own. */
  ownBatchEvents: number;
}

/** Requests that wait, and the order of their turns. */
export interface WaitingLine {
  isEmpty: () => boolean;
  /** Whether what waits fills a batch. */
  isFull: () => boolean;
  add: (request: Waiting) => void;
  /** Takes a batch's requests: of one busy source, or of all others together, by turns. */
  nextBatch: () => Waiting[];
  /** Takes those that have waited since before a time. */
  takeOlderThan: (since: number) => Waiting[];
}

interface SourceQueue {
  requests: Waiting[];
  events: number;
}

export const createWaitingLine = (limits: LineLimits): WaitingLine => {
  // In the order of turns: who was served goes to the end.
  const queues = new Map<string, SourceQueue>();
  let events = 0;
  let bytes = 0;
  let sharedTurn = true;

  const take = (source: string, queue: SourceQueue): Waiting => {
    const request = queue.requests.shift()!;
    queue.events -= request.events.length;
    events -= request.events.length;
    bytes -= request.bytes;
    queues.delete(source);
    if (queue.requests.length > 0) queues.set(source, queue);
    return request;
  };

  /** Takes requests of these sources, one of each at a time, until a batch is full. */
  const fill = (sources: readonly string[]): Waiting[] => {
    const batch: Waiting[] = [];
    let room = { events: limits.events, bytes: limits.bytes };
    let open = sources;
    while (open.length > 0) {
      open = open.filter((source) => {
        const queue = queues.get(source);
        const next = queue?.requests[0];
        if (queue === undefined || next === undefined) return false;
        const fits = next.events.length <= room.events && next.bytes <= room.bytes;
        if (!fits && batch.length > 0) return false;
        batch.push(take(source, queue));
        room = { events: room.events - next.events.length, bytes: room.bytes - next.bytes };
        return true;
      });
    }
    return batch;
  };

  return {
    isEmpty: () => queues.size === 0,
    isFull: () => events >= limits.events || bytes >= limits.bytes,
    add: (request) => {
      const queue = queues.get(request.source) ?? { requests: [], events: 0 };
      queue.requests.push(request);
      queue.events += request.events.length;
      events += request.events.length;
      bytes += request.bytes;
      queues.set(request.source, queue);
    },
    nextBatch: () => {
      const busy: string[] = [];
      const others: string[] = [];
      for (const [source, queue] of queues) {
        (queue.events >= limits.ownBatchEvents ? busy : others).push(source);
      }
      const shared = others.length > 0 && (sharedTurn || busy.length === 0);
      sharedTurn = !shared;
      return fill(shared ? others : busy.slice(0, 1));
    },
    takeOlderThan: (since) =>
      [...queues].flatMap(([source, queue]) => {
        const old: Waiting[] = [];
        while (queue.requests[0] !== undefined && queue.requests[0].since < since) {
          old.push(take(source, queue));
        }
        return old;
      }),
  };
};
