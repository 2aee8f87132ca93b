import type { JsonObject, PageEvent, ScreenEvent } from '../event.ts';
import { insist } from './define.ts';

/** The names of events that a partner takes, and what is said of another. */
export interface NameRule {
  taken: RegExp;
  otherwise: string;
}

/** A name that a partner takes. @throws Error with the name and the rule's words, where it is not */
export const allowed = (name: string, { taken, otherwise }: NameRule): string => {
  insist(taken.test(name), `${name} ${otherwise}`);
  return name;
};

/**
 * A page or screen as analytics partners know it that have no word of their own for it: the name of
 * an event, and its properties. Segment's destinations say `Viewed …`, too.
 */
export const viewOf = (event: PageEvent | ScreenEvent): [string, JsonObject] => {
  const { name, category, properties, type } = event;
  const what = [name, category, type].find((text) => text)!;
  return [`Viewed ${what}`, { name, category, ...properties }];
};
