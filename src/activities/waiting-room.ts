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
  enter: (connection: string, delivery: WaitingDelivery, dueAt: number) => void;
  /** To be called when a delivery begins, for whatever reason. */
  leave: (delivery: WaitingDelivery) => void;
  /** Calls back whoever waits for the connection, one after the other. */
  callBack: (connection: string) => void;
}

/** Deliveries that are due so soon come by themselves. */
const soonMs = 1_000;
/** The part of the event loop's time that may be taken when another is called. */
const mostUtilization = 0.6;
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
  const byKey = new Map<string, { connection: string; delivery: WaitingDelivery; dueAt: number }>();
  const calling = new Set<string>();
  const keyOf = ({ runId, activityId }: WaitingDelivery): string => `${runId} ${activityId}`;

  let mark = performance.eventLoopUtilization();
  /** Whether the event loop has had little rest since this was last asked. */
  const isBusy = (): boolean => {
    const { utilization } = performance.eventLoopUtilization(mark);
    mark = performance.eventLoopUtilization();
    return utilization > mostUtilization;
  };

  const callAll = async (connection: string): Promise<void> => {
    const waiting = [...byKey].filter(([, entry]) => entry.connection === connection);
    for (const [key, { delivery, dueAt }] of waiting) {
      if (!byKey.has(key) || dueAt < now() + soonMs) continue;
      do await sleep(gapMs());
      while ((!hasRoom() || isBusy()) && works(connection) && !closed.aborted);
      if (!works(connection) || closed.aborted) return;
      byKey.delete(key);
      // It may have ended or been called meanwhile, and comes at its own time if not.
      await call(delivery).catch(() => undefined);
    }
  };

  return {
    enter: (connection, delivery, dueAt) => {
      if (byKey.size < mostKnown) byKey.set(keyOf(delivery), { connection, delivery, dueAt });
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
