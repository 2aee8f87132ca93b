/** Lets so many in at a time; the others wait in order. */
interface Gate {
  enter: () => Promise<void>;
  leave: () => void;
}

const createGate = (places: number): Gate => {
  let free = places;
  const waiting: (() => void)[] = [];
  return {
    enter: () => {
      if (free > 0) {
        free -= 1;
        return Promise.resolve();
      }
      return new Promise((enter) => waiting.push(enter));
    },
    leave: () => {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
};

/** Spreads turns evenly over time. */
export interface Pace {
  /** How long a turn taken now would have to wait, in ms. */
  aheadMs: () => number;
  /** Takes the next turn, and waits for it. */
  turn: () => Promise<void>;
}

/** @param perSecond turns a second; undefined: no limit */
export const createPace = (perSecond: number | undefined, now: () => number): Pace => {
  if (perSecond === undefined) return { aheadMs: () => 0, turn: () => Promise.resolve() };
  let next = 0;
  return {
    aheadMs: () => Math.max(0, next - now()),
    turn: async () => {
      const at = Math.max(next, now());
      next = at + 1_000 / perSecond;
      const wait = at - now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    },
  };
};

/** What this process knows of its connections: which fail, and how many requests each has open. */
export interface Connections {
  gate: (connection: string) => Gate;
  /** Whether first passes should leave a connection's events to its continuations for now. */
  isFailing: (connection: string) => boolean;
  failed: (connection: string) => void;
  succeeded: (connection: string) => void;
}

/** After so long without word of a failing connection a first pass tries again by itself. */
const failingMs = 5_000;

/** @param requestsAtOnce most open requests of one connection in this process */
export const createConnections = (requestsAtOnce: number, now: () => number): Connections => {
  const gates = new Map<string, Gate>();
  const failingUntil = new Map<string, number>();
  return {
    gate: (connection) => {
      let gate = gates.get(connection);
      if (gate === undefined) gates.set(connection, (gate = createGate(requestsAtOnce)));
      return gate;
    },
    isFailing: (connection) => (failingUntil.get(connection) ?? 0) > now(),
    failed: (connection) => failingUntil.set(connection, now() + failingMs),
    succeeded: (connection) => failingUntil.delete(connection),
  };
};
