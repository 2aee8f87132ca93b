import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** Lets so many in at a time; the others wait in order. */
interface Gate {
  /** Resolves with whether it let in, for then `leave` is owed; with false once `over` is aborted. */
  enter: (over: AbortSignal) => Promise<boolean>;
  leave: () => void;
}

const createGate = (places: number): Gate => {
  let free = places;
  const waiting = new Set<() => void>();
  return {
    enter: (over) => {
      if (over.aborted) return Promise.resolve(false);
      if (free > 0) {
        free -= 1;
        return Promise.resolve(true);
      }
      return new Promise((resolve) => {
        const enter = (): void => {
          over.removeEventListener('abort', giveUp);
          resolve(true);
        };
        const giveUp = (): void => {
          waiting.delete(enter);
          resolve(false);
        };
        waiting.add(enter);
        over.addEventListener('abort', giveUp, { once: true });
      });
    },
    leave: () => {
      const [next] = waiting;
      if (next === undefined) {
        free += 1;
      } else {
        waiting.delete(next);
        next();
      }
    },
  };
};

/** Spreads turns evenly over time. */
export interface Pace {
  /** How long a turn asked for now would have to wait, in ms. */
  aheadMs: () => number;
  /**
   * Takes the next turn and waits for it; resolves with whether there is one: false where it would
   * come after `deadline` (ms since the epoch), when none is taken, or once `over` is aborted.
   */
  turn: (over: AbortSignal, deadline: number) => Promise<boolean>;
}

/** @param perSecond turns a second; undefined: no limit */
export const createPace = (perSecond: number | undefined, now: () => number): Pace => {
  if (perSecond === undefined) {
    return { aheadMs: () => 0, turn: (over) => Promise.resolve(!over.aborted) };
  }
  let next = 0;
  return {
    aheadMs: () => Math.max(0, next - now()),
    turn: async (over, deadline) => {
      const at = Math.max(next, now());
      if (over.aborted || at > deadline) return false;
      next = at + 1_000 / perSecond;
      const wait = at - now();
      if (wait > 0) await sleep(wait, undefined, { signal: over }).catch(() => undefined);
      return !over.aborted;
    },
  };
};

/** What this process knows of its connections: which fail, and how many requests each has open. */
export interface Connections {
  gate: (connection: string) => Gate;
  /** Whether first passes should leave a connection's events to its continuations for now. */
  isFailing: (connection: string) => boolean;
  /** Both answer whether that is news. */
  failed: (connection: string) => boolean;
  recovered: (connection: string) => boolean;
  /** Notes that the partner has taken an event. */
  took: (connection: string) => void;
  /**
   * Notes that so many events were rejected together, and answers whether the partner rejects
   * whatever is sent: too many in a row, in the same words, for all of them to be at fault.
   */
  rejectsAll: (connection: string, words: string, events: number) => boolean;
}

/** After so long without word of a failing connection a first pass tries again by itself. */
const failingMs = 5_000;

/** So many events in a row may be rejected in the same words for what they are. */
const rejectedAlike = 20;
/** Ids of requests, which differ in answers that are otherwise alike. */
const idLike = /(?=[\w-]*\d)[\w-]{16,}/g;

/** @param requestsAtOnce most open requests of one connection in this process */
export const createConnections = (requestsAtOnce: number, now: () => number): Connections => {
  const gates = new Map<string, Gate>();
  const failingUntil = new Map<string, number>();
  const rejections = new Map<string, { digest: string; events: number }>();
  return {
    gate: (connection) => {
      let gate = gates.get(connection);
      if (gate === undefined) gates.set(connection, (gate = createGate(requestsAtOnce)));
      return gate;
    },
    isFailing: (connection) => (failingUntil.get(connection) ?? 0) > now(),
    failed: (connection) => {
      const isNew = !failingUntil.has(connection);
      failingUntil.set(connection, now() + failingMs);
      return isNew;
    },
    recovered: (connection) => failingUntil.delete(connection),
    took: (connection) => rejections.delete(connection),
    rejectsAll: (connection, words, events) => {
      const alike = words.replace(idLike, '#');
      const digest = createHash('sha256').update(alike).digest('base64');
      const before = rejections.get(connection);
      const inARow = (before?.digest === digest ? before.events : 0) + events;
      rejections.set(connection, { digest, events: inARow });
      return inARow > rejectedAlike;
    },
  };
};
