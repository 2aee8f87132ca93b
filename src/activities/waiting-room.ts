import { setTimeout as sleep } from 'node:timers/promises';

/** A delivery that Temporal will hand out again, by its activity. */
export interface WaitingDelivery {
  workflowId: string;
  runId: string;
  activityId: string;
}

/**
 * Knows which deliveries wait for a connection that fails, and calls them back once it works again:
 * else each would wait for its own next try, which may be long after.
 */
export interface WaitingRoom {
  enter: (connections: readonly string[], delivery: WaitingDelivery, dueAt: number) => void;
  /** To be called when a delivery begins, for whatever reason. */
  leave: (delivery: WaitingDelivery) => void;
  /** Calls back whoever waits for the connection, one after the other. */
  callBack: (connection: string) => void;
}

interface Entry {
  connections: readonly string[];
  delivery: WaitingDelivery;
  dueAt: number;
}

/** Deliveries that are due so soon come by themselves. */
const soonMs = 1_000;
/** The part of the event loop's time that may be taken when another is called. */
const mostUtilization = 0.5;
/** Most that are known: whoever is not comes at its own time. */
const mostKnown = 10_000;

/**
 * @param call has Temporal hand a delivery out now
 * @param gapMs the least time between two calls
 * @param works whether a connection works: where it fails again, no more are called
 * @param hasRoom whether another one would find a slot
 * @param closed ends all calls
 */
export const createWaitingRoom = ({
  call,
  gapMs,
  works,
  hasRoom,
  closed,
  now,
}: {
  call: (delivery: WaitingDelivery) => Promise<void>;
  gapMs: () => number;
  works: (connection: string) => boolean;
  hasRoom: () => boolean;
  closed: AbortSignal;
  now: () => number;
}): WaitingRoom => {
  const byKey = new Map<string, Entry>();
  const calling = new Set<string>();
  const keyOf = ({ runId, activityId }: WaitingDelivery): string => `${runId} ${activityId}`;

  let mark = performance.eventLoopUtilization();
  /** Whether the event loop has had little rest since this was last asked. */
  const isBusy = (): boolean => {
    const { utilization } = performance.eventLoopUtilization(mark);
    mark = performance.eventLoopUtilization();
    return utilization > mostUtilization;
  };

  /** Those that are over their time have begun elsewhere, or ended. */
  const forgetPast = (): void => {
    for (const [key, { dueAt }] of byKey) if (dueAt < now()) byKey.delete(key);
  };
  const nextOf = (connection: string): [string, Entry] | undefined =>
    [...byKey].find(
      ([, entry]) => entry.connections.includes(connection) && entry.dueAt > now() + soonMs,
    );

  const callAll = async (connection: string): Promise<void> => {
    forgetPast();
    const isOver = (): boolean => !works(connection) || closed.aborted;
    while (!isOver() && nextOf(connection) !== undefined) {
      do await sleep(gapMs(), undefined, { signal: closed }).catch(() => undefined);
      while ((!hasRoom() || isBusy()) && !isOver());
      const next = nextOf(connection);
      if (next === undefined || isOver()) return;
      byKey.delete(next[0]);
      // It may have ended or been called meanwhile, and comes at its own time if not.
      await call(next[1].delivery).catch(() => undefined);
    }
  };

  return {
    enter: (connections, delivery, dueAt) => {
      if (byKey.size >= mostKnown) forgetPast();
      if (byKey.size < mostKnown) byKey.set(keyOf(delivery), { connections, delivery, dueAt });
    },
    leave: (delivery) => {
      byKey.delete(keyOf(delivery));
    },
    callBack: (connection) => {
      if (calling.has(connection)) return;
      calling.add(connection);
      void callAll(connection).finally(() => calling.delete(connection));
    },
  };
};
