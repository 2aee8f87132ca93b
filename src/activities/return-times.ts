/**
 * Spreads the returns of deliveries that wait: each costs the cluster as much as one that sends, and
 * behind a partner that is down they may be thousands.
 */
export interface ReturnTimes {
  /**
   * Takes a time to return at: the earliest from `notBefore` on, in ms since the epoch, at which
   * neither the connection nor the destination has too many others.
   */
  take: (connection: string, notBefore: number) => number;
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
): ReturnTimes => {
  const all: Calendar = new Map();
  const calendars = new Map<string, Calendar>();
  let forgotten = 0;
  return {
    take: (connection, notBefore) => {
      const present = Math.floor(now() / 1_000);
      if (present > forgotten) {
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
      let second = Math.floor(earliest / 1_000);
      while (!hasRoom(own, second, perConnection) || !hasRoom(all, second, perDestination)) {
        second += 1;
      }
      enter(own, second);
      enter(all, second);
      return Math.max(earliest, second * 1_000);
    },
  };
};
