import { createHash } from 'node:crypto';
import { createGate, type Gate } from './gates.ts';

/** What is known of a connection that fails. */
interface Failing {
  /** The partner's words, or why there were none, as the log has them. */
  words: string;
  /** When it last failed, and when somebody may try it again, in ms since the epoch. */
  failedAt: number;
  notBefore: number;
  /** Whether somebody is trying it. */
  isTried: boolean;
}

/** The requests of a connection. */
interface Requests {
  /** When those that are open were sent, in order. */
  open: Map<symbol, number>;
  /** How long others took, as a moving average, in ms. */
  usualMs: number;
}

/** The leave to send by a connection. */
export interface Entry {
  /** Whether it fails, and this is to see whether it works again. */
  isTry: boolean;
  /** To be called once done, as often as one likes. */
  leave: () => void;
}

/** What this process knows of a destination's connections. */
export interface Connections {
  /** Bounds the requests that are open on it. */
  gate: (connection: string) => Gate;
  /**
   * Notes that a request is sent; to be called once it has its answer, or none, and answers whether
   * the connection was taken for failing meanwhile, for its sake.
   */
  sent: (connection: string) => (isAnswered: boolean) => boolean;
  /**
   * Why it fails, in words; undefined while it works. A request that waits for its answer far longer
   * than others did is a failure already: else such requests hold all slots before the first is over.
   */
  failure: (connection: string) => string | undefined;
  /** Whether `enter` would let in. */
  mayEnter: (connection: string, isFirstPass: boolean) => boolean;
  /**
   * Asks to send by it. While it works, all may; while it fails, one at a time and now and then, to
   * see whether it works again, and of these a first pass only where no continuation does.
   * @returns undefined where not
   */
  enter: (connection: string, isFirstPass: boolean) => Entry | undefined;
  /**
   * Both answer whether that is news.
   * @param pauseUntil until when the partner wants to be left alone, in ms since the epoch; 0: it did not say
   * @param sentAt when the request was sent that was answered well: one that is older than the last
   * failure says nothing
   */
  failed: (connection: string, words: string, pauseUntil: number) => boolean;
  recovered: (connection: string, sentAt: number) => boolean;
  /** Notes that the partner has taken an event. */
  took: (connection: string) => void;
  /**
   * Notes that so many events were rejected together, and answers whether the partner rejects
   * whatever is sent: too many in a row, in the same words, for all of them to be at fault.
   */
  rejectsAll: (connection: string, words: string, events: number) => boolean;
  /** How many fail now. */
  failing: () => number;
}

/** Requests without answer for so long, and for so many times as long as others took, are not waited for. */
const silentMs = 2_000;
const silentTimes = 3;

/** How long a connection that fails is left alone before it is tried again. */
const betweenTriesMs = 500; // less than any retry delay: whoever failed may be the next to try
/** For so long first passes leave it to the continuations. */
const leftToContinuationsMs = 15_000;

/** So many events in a row may be rejected in the same words for what they are. */
const rejectedAlike = 20;
/** Ids of requests, which differ in answers that are otherwise alike. */
const idLike = /(?=[\w-]*\d)[\w-]{16,}/g;

/** @param requestsAtOnce most open requests of one connection in this process */
export const createConnections = (requestsAtOnce: number, now: () => number): Connections => {
  const gates = new Map<string, Gate>();
  const failing = new Map<string, Failing>();
  const requests = new Map<string, Requests>();

  /** Why a connection is as good as failing: its oldest request has waited for too long. */
  const silence = (connection: string): string | undefined => {
    const { open, usualMs } = requests.get(connection) ?? {
      open: new Map<symbol, number>(),
      usualMs: 0,
    };
    const [oldest] = open.values();
    if (oldest === undefined) return undefined;
    const limit = Math.max(silentMs, silentTimes * usualMs);
    return now() - oldest > limit ? `no answer for ${Math.floor(limit / 1_000)} s` : undefined;
  };
  const rejections = new Map<string, { digest: string; events: number }>();
  const mayEnter: Connections['mayEnter'] = (connection, isFirstPass) => {
    const state = failing.get(connection);
    if (state === undefined) return silence(connection) === undefined;
    const notBefore = state.notBefore + (isFirstPass ? leftToContinuationsMs : 0);
    return !state.isTried && now() >= notBefore;
  };
  return {
    gate: (connection) => {
      let gate = gates.get(connection);
      if (gate === undefined) gates.set(connection, (gate = createGate(requestsAtOnce)));
      return gate;
    },
    sent: (connection) => {
      let known = requests.get(connection);
      if (known === undefined) requests.set(connection, (known = { open: new Map(), usualMs: 0 }));
      const { open } = known;
      const key = Symbol(connection);
      const at = now();
      open.set(key, at);
      return (isAnswered) => {
        const wasSilent = silence(connection) !== undefined;
        open.delete(key);
        if (isAnswered) known.usualMs = known.usualMs * 0.8 + (now() - at) * 0.2;
        return wasSilent && silence(connection) === undefined;
      };
    },
    failure: (connection) => failing.get(connection)?.words ?? silence(connection),
    mayEnter,
    enter: (connection, isFirstPass) => {
      if (!mayEnter(connection, isFirstPass)) return undefined;
      const state = failing.get(connection);
      if (state === undefined) return { isTry: false, leave: () => undefined };
      state.isTried = true;
      let hasLeft = false;
      return {
        isTry: true,
        leave: () => {
          if (!hasLeft) state.isTried = false;
          hasLeft = true;
        },
      };
    },
    failed: (connection, words, pauseUntil) => {
      const before = failing.get(connection);
      const notBefore = Math.max(now() + betweenTriesMs, pauseUntil, before?.notBefore ?? 0);
      if (before === undefined)
        failing.set(connection, { words, failedAt: now(), notBefore, isTried: false });
      else Object.assign(before, { words, failedAt: now(), notBefore });
      return before === undefined;
    },
    recovered: (connection, sentAt) =>
      sentAt >= (failing.get(connection)?.failedAt ?? 0) && failing.delete(connection),
    took: (connection) => rejections.delete(connection),
    rejectsAll: (connection, words, events) => {
      const alike = words.replace(idLike, '#');
      const digest = createHash('sha256').update(alike).digest('base64');
      const before = rejections.get(connection);
      const inARow = (before?.digest === digest ? before.events : 0) + events;
      rejections.set(connection, { digest, events: inARow });
      return inARow > rejectedAlike;
    },
    failing: () => failing.size,
  };
};
