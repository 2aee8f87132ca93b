import { createBreather, type Breathe } from './breather.ts';

/** While others have small pieces of work, large ones leave this part of the thread's time unused, … */
const free = 0.2;
/** … but have this part of it at least, however busy it is. */
const leastShare = 0.1;
/** What else the thread does is measured over so long, in ms. */
const measuredMs = 200;
/** Small work that was begun longer ago than this tells nothing of now, in ms. */
const freshMs = 250;

/** A piece of work's time on the thread that all share. */
export interface Turn {
  /** To be awaited now and then, so that others get on meanwhile. */
  breathe: Breathe;
  /** Hands over to the next; may be called as often as one likes. */
  end: () => void;
}

/** Whose turn it is to do what takes long. */
export interface Turns {
  /** Small work begins: it waits for nobody. */
  small: () => Turn;
  /**
   * Waits until no other large work is being done; those who wait get on by turns.
   * @param whose who is to wait for their own large work rather than others for them
   * @param over once aborted it waits no longer: it resolves then, too, and is to do next to nothing
   */
  large: (whose: string, over: AbortSignal) => Promise<Turn>;
}

const noEnd = (): void => undefined;

/**
 * Lets small pieces of work be done at once, and large ones one at a time, with pauses while there
 * are small ones: the event loop serves all that it has begun alike, so that else small ones would
 * wait for every large one.
 * @param onWait told how long a large one waited for its turn, in ms
 * @param loadOf how long the event loop was active and idle, in ms, since a mark
 */
export const createTurns = (
  onWait: (waitedMs: number) => void = noEnd,
  loadOf: typeof performance.eventLoopUtilization = performance.eventLoopUtilization,
): Turns => {
  let smallAt = -Infinity;
  let isTaken = false;
  /** In the order of turns: who was served goes to the end. */
  const waiting = new Map<string, Set<() => void>>();

  /** The part of the thread's time that all but large work here has taken lately. */
  let otherLoad = 0;
  let largeMs = 0;
  let mark = loadOf();
  const measure = (workedMs: number): void => {
    largeMs += workedMs;
    const { active, idle } = loadOf(mark);
    if (active + idle < measuredMs) return;
    otherLoad = Math.max(0, active - largeMs) / (active + idle);
    largeMs = 0;
    mark = loadOf();
  };

  const restMs = (workedMs: number): number => {
    measure(workedMs);
    if (performance.now() - smallAt > freshMs) return 0;
    const share = Math.max(leastShare, 1 - free - otherLoad);
    return (workedMs * (1 - share)) / share;
  };

  const callNext = (): void => {
    const [next] = waiting;
    if (next === undefined) {
      isTaken = false;
      return;
    }
    const [whose, calls] = next;
    const [call] = calls;
    calls.delete(call!);
    waiting.delete(whose);
    if (calls.size > 0) waiting.set(whose, calls);
    call!();
  };

  /** Resolves with whether it is its turn now: not where it is over before. */
  const isCalled = (whose: string, over: AbortSignal): Promise<boolean> =>
    new Promise((resolve) => {
      if (over.aborted || !isTaken) {
        isTaken ||= !over.aborted;
        resolve(!over.aborted);
        return;
      }
      const calls = waiting.get(whose) ?? new Set();
      const call = (): void => {
        over.removeEventListener('abort', giveUp);
        resolve(true);
      };
      const giveUp = (): void => {
        calls.delete(call);
        if (calls.size === 0) waiting.delete(whose);
        resolve(false);
      };
      waiting.set(whose, calls.add(call));
      over.addEventListener('abort', giveUp, { once: true });
    });

  return {
    small: () => {
      smallAt = performance.now();
      return { breathe: createBreather(), end: noEnd };
    },
    large: async (whose, over) => {
      const since = performance.now();
      const mayWork = await isCalled(whose, over);
      onWait(performance.now() - since);
      if (!mayWork) return { breathe: createBreather(), end: noEnd };
      let began = performance.now();
      const breather = createBreather(restMs);
      let isOver = false;
      return {
        breathe: () => breather()?.then(() => void (began = performance.now())),
        end: () => {
          if (isOver) return;
          isOver = true;
          const ms = restMs(performance.now() - began);
          if (ms >= 1) setTimeout(callNext, ms);
          else callNext();
        },
      };
    },
  };
};
