import { createHash } from 'node:crypto';
import type { FailureCode } from '../delivery.ts';
import { createGate, type Gate } from '../gate.ts';
import { createBreaker, type Breaker, type BreakerFailure } from './breaker.ts';
import { createSilence, type Silence } from './silence.ts';

/** What fails, or works again: a connection, a partner's origin, or all of the destination. */
export interface Health {
  scope: 'connection' | 'origin' | 'destination';
  /** The connection's name, or the origin; the destination's is known. */
  name: string;
  /** Absent where it works again. */
  failure?: BreakerFailure;
  /** Those that it concerns. */
  connections: readonly string[];
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
   * Notes that a request is sent, and where; to be called once it has its answer, or none.
   */
  sent: (connection: string, origin: string) => (isAnswered: boolean) => void;
  /** Why nobody sends by it but to try it; undefined while it works. */
  failure: (connection: string) => BreakerFailure | undefined;
  /** Whether it fails, and nobody has tried it for so long although somebody might have. */
  isOverdue: (connection: string, forMs: number) => boolean;
  /** Whether `enter` would let in. */
  mayEnter: (connection: string, isFirstPass: boolean) => boolean;
  /**
   * Asks to send by it. While it works, all may; while it fails, one at a time and now and then, to
   * see whether it works again, and of these a first pass only where no continuation does.
   * @returns undefined where not
   */
  enter: (connection: string, isFirstPass: boolean) => Entry | undefined;
  /**
   * Notes that nobody is to send by it for now.
   * @param pauseMs for how long the partner wants to be left alone; 0: it did not say
   */
  failed: (connection: string, failure: BreakerFailure, pauseMs: number) => void;
  /**
   * Notes that it has answered well.
   * @param sentAt when that request was sent, by `now`: one that is older than the last failure says nothing
   */
  recovered: (connection: string, sentAt: number) => void;
  /** Notes that the partner has taken an event. */
  took: (connection: string) => void;
  /**
   * Notes that so many events were rejected together, and answers whether the partner rejects
   * whatever is sent: too many in a row, in the same words, for all of them to be at fault.
   */
  rejectsAll: (connection: string, words: string, events: number) => boolean;
}

interface Known {
  name: string;
  gate: Gate;
  breaker: Breaker;
  silence: Silence;
  /** Where its last request went. */
  origin?: Origin;
  /** The last rejections in a row that were worded alike. */
  rejections?: { digest: string; events: number };
}

interface Origin {
  breaker: Breaker;
  /** Connections that failed since one of them had success. */
  failed: Set<string>;
}

/** For so long first passes leave it to the continuations. */
const leftToContinuationsMs = 15_000;
/** So many connections that fail with no success on any between, and the fault is their partner's. */
const originFailures = 3;
/** Failures that say something of the partner, not of an account there. */
const ofPartner: ReadonlySet<FailureCode> = new Set([
  'unavailable',
  'unreachable',
  'silent',
  'broken',
]);

/** So many events in a row may be rejected in the same words for what they are. */
const rejectedAlike = 20;
/** Ids of requests, which differ in answers that are otherwise alike. */
const idLike = /(?=[\w-]*\d)[\w-]{16,}/g;

/**
 * @param requestsAtOnce most open requests of one connection in this process
 * @param throttles what a pause that the partner asks for concerns
 * @param onHealth told when something begins to fail or works again
 * @param now a clock that is never set back, in ms
 */
export const createConnections = ({
  requestsAtOnce,
  throttles,
  onHealth,
  now = () => performance.now(),
}: {
  requestsAtOnce: number;
  throttles: 'connection' | 'destination';
  onHealth: (health: Health) => void;
  now?: () => number;
}): Connections => {
  const connections = new Map<string, Known>();
  const origins = new Map<string, Origin>();
  const tell = (
    scope: Health['scope'],
    name: string,
    failure: BreakerFailure | undefined,
    concerned: readonly string[],
  ): void =>
    onHealth({ scope, name, ...(failure !== undefined && { failure }), connections: concerned });

  const destination = createBreaker(now, (failure) =>
    tell('destination', '', failure, [...connections.keys()]),
  );

  const known = (name: string): Known => {
    let found = connections.get(name);
    if (found === undefined) {
      found = {
        name,
        gate: createGate(requestsAtOnce),
        breaker: createBreaker(now, (failure) => tell('connection', name, failure, [name])),
        silence: createSilence(now),
      };
      connections.set(name, found);
    }
    return found;
  };

  const originOf = (name: string): Origin => {
    let found = origins.get(name);
    if (found === undefined) {
      const those = (): Known[] =>
        [...connections.values()].filter(({ origin }) => origin === found);
      const breaker = createBreaker(now, (failure) => {
        // What failed for the partner's sake is as good as it is, but for whom it asked to wait.
        if (failure === undefined) {
          for (const { breaker } of those()) {
            const isOfPartner = ofPartner.has(breaker.failure()?.code ?? 'fault');
            if (isOfPartner && !breaker.isPaused()) breaker.succeed(Infinity);
          }
        }
        tell(
          'origin',
          name,
          failure,
          those().map((connection) => connection.name),
        );
      });
      origins.set(name, (found = { breaker, failed: new Set() }));
    }
    return found;
  };

  const others = ({ origin }: Known): Breaker[] =>
    origin === undefined ? [destination] : [origin.breaker, destination];

  const silent = ({ silence }: Known): BreakerFailure | undefined => {
    const ms = silence.tooLong();
    return ms === undefined
      ? undefined
      : { words: `no answer for ${Math.floor(ms / 1_000)} s`, code: 'silent' };
  };

  const mayEnter = (name: string, isFirstPass: boolean): boolean => {
    const connection = known(name);
    const { breaker } = connection;
    return (
      breaker.mayEnter(isFirstPass ? leftToContinuationsMs : 0) &&
      others(connection).every((other) => other.mayEnter(0)) &&
      (breaker.failure() !== undefined || silent(connection) === undefined)
    );
  };

  return {
    gate: (name) => known(name).gate,
    sent: (name, origin) => {
      const connection = known(name);
      connection.origin = originOf(origin);
      const answered = connection.silence.sent();
      return (isAnswered) => {
        const wasSilent = silent(connection) !== undefined;
        answered(isAnswered);
        const isWell = isAnswered && wasSilent && silent(connection) === undefined;
        if (isWell) tell('connection', name, undefined, [name]);
      };
    },
    failure: (name) => {
      const connection = known(name);
      const { breaker, origin } = connection;
      return (
        breaker.failure() ??
        origin?.breaker.failure() ??
        destination.failure() ??
        silent(connection)
      );
    },
    isOverdue: (name, forMs) => {
      const connection = known(name);
      const open = [connection.breaker, ...others(connection)].filter(
        (breaker) => breaker.failure() !== undefined,
      );
      return open.length > 0 && open.every((breaker) => breaker.mayEnter(forMs));
    },
    mayEnter,
    enter: (name, isFirstPass) => {
      if (!mayEnter(name, isFirstPass)) return undefined;
      const connection = known(name);
      const breakers = [connection.breaker, ...others(connection)];
      const isTry = breakers.some((breaker) => breaker.failure() !== undefined);
      const leaves = breakers.map((breaker) => breaker.enter());
      return { isTry, leave: () => leaves.splice(0).forEach((leave) => leave()) };
    },
    failed: (name, failure, pauseMs) => {
      const connection = known(name);
      const { breaker, origin } = connection;
      breaker.fail(failure, pauseMs);
      if (pauseMs > 0 && throttles === 'destination') destination.fail(failure, pauseMs);
      if (origin === undefined || !ofPartner.has(failure.code)) return;
      origin.failed.add(name);
      if (origin.failed.size >= originFailures) origin.breaker.fail(failure, 0);
    },
    recovered: (name, sentAt) => {
      const connection = known(name);
      connection.origin?.failed.clear();
      for (const breaker of [connection.breaker, ...others(connection)]) breaker.succeed(sentAt);
    },
    took: (name) => {
      delete known(name).rejections;
    },
    rejectsAll: (name, words, events) => {
      const connection = known(name);
      const digest = createHash('sha256').update(words.replace(idLike, '#')).digest('base64');
      const before = connection.rejections;
      const inARow = (before?.digest === digest ? before.events : 0) + events;
      connection.rejections = { digest, events: inARow };
      return inARow > rejectedAlike;
    },
  };
};
