import {
  addReceipt,
  emptyReceipt,
  type FilterRule,
  type PastAttempt,
  type Receipt,
} from '../delivery.ts';
import { packPlaces } from './ranges.ts';

/** Counts outcomes, and keeps which events had which, until a receipt is asked for. */
export interface Tally {
  deliver: () => void;
  reject: (place: number, messageId: string, reason: string) => void;
  filter: (place: number, rule: FilterRule) => void;
  /** With attempts that are over. */
  receipt: (attempts: readonly PastAttempt[]) => Receipt;
}

const entryOf = <Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value => {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = create()));
  return value;
};

/** @param before what earlier attempts have counted; it is not changed */
export const createTally = (before: Receipt | undefined): Tally => {
  let delivered = 0;
  const rejections = new Map<string, { places: number[]; messageIds: string[] }>();
  const filters = new Map<FilterRule, number[]>();
  return {
    deliver: () => {
      delivered += 1;
    },
    reject: (place, messageId, reason) => {
      const entry = entryOf(rejections, reason, () => ({ places: [], messageIds: [] }));
      entry.places.push(place);
      entry.messageIds.push(messageId);
    },
    filter: (place, rule) => {
      entryOf(filters, rule, (): number[] => []).push(place);
    },
    receipt: (attempts) => {
      const receipt = structuredClone(before) ?? emptyReceipt();
      const sum = (lists: Iterable<{ length: number }>): number =>
        [...lists].reduce((total, { length }) => total + length, 0);
      addReceipt(receipt, {
        delivered,
        rejected: sum([...rejections.values()].map(({ places }) => places)),
        filtered: sum(filters.values()),
        rejections: [...rejections].map(([reason, { places, messageIds }]) => ({
          reason,
          count: places.length,
          messageIds,
          events: [packPlaces(places)],
        })),
        ...(filters.size > 0 && {
          filters: [...filters].map(([rule, places]) => ({
            rule,
            count: places.length,
            events: [packPlaces(places)],
          })),
        }),
        ...(attempts.length > 0 && { attempts: [...attempts] }),
      });
      return receipt;
    },
  };
};
