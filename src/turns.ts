import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { createBreather, longestPieceMs, type Breathe } from './breather.ts';
import { createGate } from './gate.ts';

/** While others have small pieces of work, large ones leave this part of the thread's time unused, … */
const unused = 0.2;
/** … but have this part of it at least, however busy it is. */
const leastShare = 0.1;
/** What else the thread does is measured over so long at least, in ms, and tells nothing after so long. */
const measuredMs = 200;
const staleMs = 2_000;
/** Small work that was begun longer ago than this tells nothing of now, in ms. */
const freshMs = 250;
/** Whatever was longer than this, in ms, was no work of the thread's, or not its own. */
const longestWorkMs = 50;

/** A piece of work's time on the thread that all share. */
export interface Turn {
  /** To be awaited now and then, so that others get on meanwhile. */
  breathe: Breathe;
  /** What was since the last breath was no work: it waited. */
  resume: () => void;
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
   * @param over once aborted it waits and rests no longer: it resolves then, too, and is to do next to
   * nothing
   */
  large: (whose: string, over: AbortSignal) => Promise<Turn>;
}

const nothing = (): void => undefined;

/** The time of one that waits for nobody, and whom nobody waits for. */
const ownTime = (): Turn => ({ breathe: createBreather(), resume: nothing, end: nothing });

/** By which `createTurns` sees and lets time pass. */
export interface Time {
  now: () => number;
  /** How long the event loop was active and idle since a mark, in ms. */
  loadSince: typeof performance.eventLoopUtilization;
  rest: (ms: number, over: AbortSignal) => Promise<unknown>;
}

const realTime: Time = {
  now: () => performance.now(),
  loadSince: performance.eventLoopUtilization,
  rest: (ms, signal) => sleep(ms, undefined, { signal }).catch(nothing), // it is over
};

/**
 * Lets small pieces of work be done at once, and large ones one at a time, with rests while there
 * are small ones: the event loop serves all that it has begun alike, so that else small ones would
 * wait for every large one.
 */
export const createTurns = ({ now, loadSince, rest }: Time = realTime): Turns => {
  let smallAt = -Infinity;
  const gate = createGate(1);
  /** The part of the thread's time that all but large work has taken lately. */
  let otherLoad = 0;
  let largeMs = 0;
  let mark = loadSince();
  let owedMs = 0;

  const measure = (workedMs: number): void => {
    largeMs += workedMs;
    const { active, idle } = loadSince(mark);
    const ms = active + idle;
    if (ms < measuredMs) return;
    if (ms < staleMs) otherLoad = Math.max(0, active - largeMs) / ms;
    largeMs = 0;
    mark = loadSince();
  };

  /** Lets others have the thread for as long as is owed to them, and for a turn of the loop at least. */
  const giveWay = (elapsedMs: number, over: AbortSignal): Promise<unknown> => {
    const workedMs = Math.min(elapsedMs, longestWorkMs);
    measure(workedMs);
    if (over.aborted || now() - smallAt > freshMs) {
      owedMs = 0;
      return nextTurn();
    }
    const share = Math.max(leastShare, 1 - unused - otherLoad);
    owedMs += (workedMs * (1 - share)) / share;
    if (owedMs < 1) return nextTurn();
    const ms = owedMs;
    owedMs = 0;
    return rest(ms, over);
  };

  return {
    small: () => {
      smallAt = now();
      return ownTime();
    },
    large: async (whose, over) => {
      if (!(await gate.enter(over, whose))) return ownTime();
      let since = now();
      let isOver = false;
      const resume = (): void => void (since = now());
      return {
        resume,
        breathe: () => {
          const elapsedMs = now() - since;
          return elapsedMs < longestPieceMs ? undefined : giveWay(elapsedMs, over).then(resume);
        },
        end: () => {
          if (isOver) return;
          isOver = true;
          void giveWay(now() - since, over).then(gate.leave);
        },
      };
    },
  };
};
