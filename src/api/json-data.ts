import type { JsonObject } from '../event.ts';

/** Most levels of objects and arrays that posted data may have: who reads it may recurse. */
export const deepest = 100;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether a parsed number is another once it was written and parsed again. */
const cannotTravel = (value: unknown): value is number =>
  typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0));

/** Makes numbers, in place, what they are once they were written: 1e999 is null then, and -0 is 0. */
export const settleNumbers = (value: unknown): void => {
  if (typeof value !== 'object' || value === null) return;
  const object = value as JsonObject; // or an array, by its places
  for (const key in object) {
    const held = object[key];
    if (typeof held === 'object') settleNumbers(held);
    else if (cannotTravel(held)) object[key] = Number.isFinite(held) ? 0 : null;
  }
};

/**
 * Makes parsed JSON harmless: removes, in place, own `__proto__` keys, which would become the
 * prototype of an object that they are assigned to. `constructor` and `prototype` stay: they are
 * data like any other.
 * @returns false where the value has more than `levels` levels; it is then only partly seen to
 */
export const tame = (value: unknown, levels: number = deepest): boolean => {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!tame(item, levels - 1)) return false;
    return true;
  }
  const object = value as JsonObject;
  for (const key in object) {
    if (key === '__proto__') Reflect.deleteProperty(object, key);
    else if (!tame(object[key], levels - 1)) return false;
  }
  return true;
};

/**
 * Both objects' keys, objects under the same key merged likewise; else `over` wins.
 * @param under tamed, as `over` is
 */
export const mergeUnder = (under: JsonObject, over: JsonObject): JsonObject => {
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = under[key];
    merged[key] = isObject(value) && isObject(below) ? mergeUnder(below, value) : value;
  }
  return merged;
};
