import { heavyBytes } from '../delivery.ts';
import { createGate } from './gates.ts';

/** Large batches that are read and mapped at a time in one process: all share one thread. */
const atOnce = 1;

/**
 * Lets small batches be worked on at once, and large ones a few at a time: the event loop serves all
 * that it has begun alike, so that else a small one would wait for every large one.
 * @param onWait told how long a large one waited, in ms
 */
export const createTurns = (onWait: (waitedMs: number) => void, now: () => number) => {
  const gate = createGate(atOnce);
  return async (bytes: number, over: AbortSignal): Promise<() => void> => {
    if (bytes < heavyBytes) return () => undefined;
    const since = now();
    // Out of time it is let go on: it will send nothing, and hand over what it has.
    const isIn = await gate.enter(over);
    onWait(now() - since);
    let isOver = !isIn;
    return () => {
      if (!isOver) gate.leave();
      isOver = true;
    };
  };
};
