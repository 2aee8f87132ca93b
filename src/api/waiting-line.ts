import type { AcceptedEvent } from '../temporal/events-encoding.ts';

/** One request's events, waiting to be started. */
export interface Waiting {
  source: string;
  events: readonly AcceptedEvent[];
  bytes: number;
  /** In ms, as performance.now() tells it. */
  since: number;
  resolve: (batch: string) => void;
  reject: (error: Error) => void;
}

export interface LineLimits {
  /** Most events of a batch; at least as many as one request may bring. */
  events: number;
  /** Most bytes of a batch, unless one request alone has more. */
  bytes: number;
  /** A source with so many events or bytes waiting is busy: it gets batches of its own. */
  ownBatchEvents: number;
  ownBatchBytes: number;
}

/** How far apart starts are, in ms: of the batches that sources share, and of each busy source's. */
export interface Gaps {
  shared: number;
  busy: number;
}

/** Requests that wait, and the order of their turns. */
export interface WaitingLine {
  isEmpty: () => boolean;
  add: (request: Waiting) => void;
  /**
   * Takes a batch's requests: of one busy source, or of all others together, by turns. A full batch
   * of others waits for no gap.
   * @param at the time, in ms
   * @returns the requests, or how long it is until the first gap is over, in ms
   */
  next: (at: number, gaps: Gaps) => Waiting[] | number;
  /** Takes those that have waited since before a time. */
  takeOlderThan: (since: number) => Waiting[];
}

interface SourceQueue {
  requests: Waiting[];
  events: number;
  bytes: number;
}

export const createWaitingLine = (limits: LineLimits): WaitingLine => {
  // In the order of turns: who was served goes to the end.
  const queues = new Map<string, SourceQueue>();
  let sharedTurn = true;
  let lastShared = -Infinity;
  /** When busy sources were last served; forgotten once their gap is over. */
  const lastBusy = new Map<string, number>();

  const take = (source: string, queue: SourceQueue): Waiting => {
    const request = queue.requests.shift()!;
    queue.events -= request.events.length;
    queue.bytes -= request.bytes;
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
    add: (request) => {
      const queue = queues.get(request.source) ?? { requests: [], events: 0, bytes: 0 };
      queue.requests.push(request);
      queue.events += request.events.length;
      queue.bytes += request.bytes;
      queues.set(request.source, queue);
    },
    next: (at, gaps) => {
      const others: string[] = [];
      let ofOthers = { events: 0, bytes: 0 };
      let due: string | undefined;
      let wait = Infinity;
      for (const [source, queue] of queues) {
        if (queue.events < limits.ownBatchEvents && queue.bytes < limits.ownBatchBytes) {
          others.push(source);
          const { events, bytes } = ofOthers;
          ofOthers = { events: events + queue.events, bytes: bytes + queue.bytes };
        } else if (due === undefined) {
          const rest = (lastBusy.get(source) ?? -Infinity) + gaps.busy - at;
          if (rest <= 0) due = source;
          else wait = Math.min(wait, rest);
        }
      }
      for (const [source, last] of lastBusy) if (last + gaps.busy < at) lastBusy.delete(source);
      const isFull = ofOthers.events >= limits.events || ofOthers.bytes >= limits.bytes;
      const sharedRest = isFull ? 0 : lastShared + gaps.shared - at;
      const isSharedDue = others.length > 0 && sharedRest <= 0;
      if (isSharedDue && (sharedTurn || due === undefined)) {
        sharedTurn = false;
        lastShared = at;
        return fill(others);
      }
      if (due !== undefined) {
        sharedTurn = true;
        lastBusy.set(due, at);
        return fill([due]);
      }
      return others.length > 0 ? Math.min(wait, sharedRest) : wait;
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
