/** Lets so many in at a time; the others wait. */
export interface Gate {
  /**
   * Resolves with whether it let in, for then `leave` is owed; with false once `over` is aborted.
   * @param whose those who wait get in by turns; one's own wait for each other
   */
  enter: (over: AbortSignal, whose?: string) => Promise<boolean>;
  leave: () => void;
}

export const createGate = (places: number): Gate => {
  let free = places;
  /** In the order of turns: who was let in goes to the end. */
  const waiting = new Map<string, Set<() => void>>();
  return {
    enter: (over, whose = '') => {
      if (over.aborted) return Promise.resolve(false);
      if (free > 0) {
        free -= 1;
        return Promise.resolve(true);
      }
      return new Promise((resolve) => {
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
    },
    leave: () => {
      const [next] = waiting;
      if (next === undefined) {
        free += 1;
        return;
      }
      const [whose, calls] = next;
      const [call] = calls;
      waiting.delete(whose);
      calls.delete(call!);
      if (calls.size > 0) waiting.set(whose, calls);
      call!();
    },
  };
};
