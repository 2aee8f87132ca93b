/**
 * Spreads the returns of deliveries that wait: each costs the cluster as much as one that sends, and
 * behind a partner that is down they may be thousands.
 */
export interface ReturnTimes {
  /**
   * Takes a time to return at: the earliest from `notBefore` on, in ms since the epoch, at which
   * neither the connection nor the destination has too many others; where there is none until
   * `notAfter`, any time before. What the destination has concerns only whoever has many himself.
   */
  take: (connection: string, notBefore: number, notAfter: number) => number;
  /** Frees what a connection has taken: it works again. */
  forget: (connection: string) => void;
}

/** Seconds, with how many return in each. */
type Calendar = Map<number, number>;

const hasRoom = (calendar: Calendar, second: number, most: number): boolean =>
  (calendar.get(second) ?? 0) < most;
const enter = (calendar: Calendar, second: number): void => {
  calendar.set(second, (calendar.get(second) ?? 0) + 1);
};
const forgetPast = (calendar: Calendar, present: number): void => {
  for (const second of calendar.keys()) if (second < present) calendar.delete(second);
};

/**
 * @param perConnection most returns of one connection in a second
 * @param perDestination most returns of all of them in a second
 */
export const createReturnTimes = (
  { perConnection, perDestination }: { perConnection: number; perDestination: number },
  now: () => number,
  random: () => number,
): ReturnTimes => {
  const all: Calendar = new Map();
  const calendars = new Map<string, Calendar>();
  let forgotten = 0;
  return {
    forget: (connection) => void calendars.delete(connection),
    take: (connection, notBefore, notAfter) => {
      const present = Math.floor(now() / 1_000);
      if (present !== forgotten) {
        forgotten = present;
        forgetPast(all, present);
        for (const [name, calendar] of calendars) {
          forgetPast(calendar, present);
          if (calendar.size === 0) calendars.delete(name);
        }
      }
      let own = calendars.get(connection);
      if (own === undefined) calendars.set(connection, (own = new Map<number, number>()));
      const earliest = Math.max(notBefore, now());
      const last = Math.floor(Math.max(earliest, notAfter) / 1_000);
      const hasMany = own.size > 1;
      let second = Math.floor(earliest / 1_000);
      const isTaken = (): boolean =>
        !hasRoom(own, second, perConnection) || (hasMany && !hasRoom(all, second, perDestination));
      while (second <= last && isTaken()) second += 1;
      if (second > last) return earliest + random() * Math.max(0, notAfter - earliest);
      enter(own, second);
      enter(all, second);
      return Math.max(earliest, second * 1_000);
    },
  };
};
