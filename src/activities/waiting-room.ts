import { setTimeout as sleep } from 'node:timers/promises';

/** A delivery that Temporal will hand out again, by its activity. */
export interface WaitingDelivery {
  workflowId: string;
  runId: string;
  activityId: string;
}

/**
 * Knows which deliveries wait for a connection that fails, and calls them back once it works again:
 * else each would wait for its own next try, which may be long after. To see whether it does, one
 * of them is called now and then where none comes by itself.
 */
export interface WaitingRoom {
  enter: (connections: readonly string[], delivery: WaitingDelivery, dueInMs: number) => void;
  /** To be called when a delivery begins, for whatever reason. */
  leave: (delivery: WaitingDelivery) => void;
  /** To be called when a delivery's attempt ends. */
  done: (delivery: WaitingDelivery) => void;
  /** Calls back whoever waits for the connection, one after the other, and in turn with others'. */
  callBack: (connection: string) => void;
}

interface Entry {
  connections: readonly string[];
  delivery: WaitingDelivery;
  /** In ms, by `now`. */
  dueAt: number;
}

/** Deliveries that are due so soon come by themselves. */
const soonMs = 1_000;
/** The part of the event loop's time that may be taken when another is called. */
const mostUtilization = 0.5;
/** Most that are known: whoever is not comes at its own time. */
const mostKnown = 10_000;
/**
 * Deliveries that were called and have not ended an attempt since, at most. Temporal's timers take up
 * to a second to hand one out, so that fewer would make the calls slower than they are meant to be.
 */
const mostCalled = 16;
/** A call that has led to nothing for so long leads to nothing any more. */
const callIsOverMs = 15_000;
/** How often it is looked for connections that nobody tries, and how many are tried then. */
const probeEveryMs = 1_000;
const probesAtOnce = 2;

/**
 * @param call has Temporal hand a delivery out now
 * @param gapMs the least time between two calls
 * @param works whether a connection works: where it fails again, no more are called
 * @param isOverdue whether a connection fails, and should be tried by somebody
 * @param hasRoom whether another one would find a slot
 * @param closed ends all calls
 * @param now a clock that is never set back, in ms
 */
export const createWaitingRoom = ({
  call,
  gapMs,
  works,
  isOverdue,
  hasRoom,
  closed,
  now = () => performance.now(),
}: {
  call: (delivery: WaitingDelivery) => Promise<void>;
  gapMs: () => number;
  works: (connection: string) => boolean;
  isOverdue: (connection: string) => boolean;
  hasRoom: () => boolean;
  closed: AbortSignal;
  now?: () => number;
}): WaitingRoom => {
  const byKey = new Map<string, Entry>();
  /** When those were called that are not done yet. */
  const called = new Map<string, number>();
  /** The same by connection, in the order in which they came. */
  const waiting = new Map<string, Set<Entry>>();
  /** Connections that work again, in the order of their turns. */
  const toCall = new Set<string>();
  let isCalling = false;
  const keyOf = ({ runId, activityId }: WaitingDelivery): string => `${runId} ${activityId}`;

  let mark = performance.eventLoopUtilization();
  /** Whether the event loop has had little rest since this was last asked. */
  const isBusy = (): boolean => {
    const { utilization } = performance.eventLoopUtilization(mark);
    mark = performance.eventLoopUtilization();
    return utilization > mostUtilization;
  };

  const forget = (entry: Entry): void => {
    byKey.delete(keyOf(entry.delivery));
    for (const connection of entry.connections) {
      const those = waiting.get(connection);
      those?.delete(entry);
      if (those?.size === 0) waiting.delete(connection);
    }
  };
  /** Those that are over their time have begun elsewhere, or ended. */
  const forgetPast = (): void => {
    for (const entry of byKey.values()) if (entry.dueAt < now()) forget(entry);
  };
  /** The next that is to be called. */
  const nextOf = (connection: string): Entry | undefined => {
    for (const entry of waiting.get(connection) ?? []) {
      if (entry.dueAt > now() + soonMs) return entry;
    }
    return undefined;
  };
  const isFree = (): boolean => {
    for (const [key, at] of called) if (now() - at > callIsOverMs) called.delete(key);
    return called.size < mostCalled && hasRoom();
  };
  const callNext = async (connection: string): Promise<void> => {
    const entry = nextOf(connection);
    if (entry === undefined) return;
    forget(entry);
    called.set(keyOf(entry.delivery), now());
    // It may have ended or been called meanwhile, and comes at its own time if not.
    await call(entry.delivery).catch(() => called.delete(keyOf(entry.delivery)));
  };

  /** Calls those that wait for a connection that works, each connection in its turn, until none do. */
  const callAll = async (): Promise<void> => {
    forgetPast();
    for (;;) {
      for (const connection of toCall) {
        if (!works(connection) || nextOf(connection) === undefined) toCall.delete(connection);
      }
      if (toCall.size === 0 || closed.aborted) return;
      await sleep(gapMs(), undefined, { signal: closed }).catch(() => undefined);
      if (!isFree() || isBusy()) continue;
      const connection = [...toCall].find(works);
      if (connection === undefined) continue;
      toCall.delete(connection);
      toCall.add(connection);
      await callNext(connection);
    }
  };

  const probe = (): void => {
    const overdue = [...waiting.keys()].filter(isOverdue).slice(0, probesAtOnce);
    for (const connection of isFree() ? overdue : []) void callNext(connection);
  };
  const probing = setInterval(probe, probeEveryMs).unref();
  closed.addEventListener('abort', () => clearInterval(probing), { once: true });

  return {
    enter: (connections, delivery, dueInMs) => {
      if (byKey.size >= mostKnown) forgetPast();
      if (byKey.size >= mostKnown) return;
      const entry: Entry = { connections, delivery, dueAt: now() + dueInMs };
      byKey.set(keyOf(delivery), entry);
      for (const connection of connections) {
        const those = waiting.get(connection) ?? new Set();
        waiting.set(connection, those.add(entry));
      }
    },
    leave: (delivery) => {
      const entry = byKey.get(keyOf(delivery));
      if (entry !== undefined) forget(entry);
    },
    done: (delivery) => {
      called.delete(keyOf(delivery));
    },
    callBack: (connection) => {
      if (!waiting.has(connection)) return;
      toCall.add(connection);
      if (isCalling) return;
      isCalling = true;
      void callAll().finally(() => {
        isCalling = false;
      });
    },
  };
};
