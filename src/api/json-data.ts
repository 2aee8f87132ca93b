import type { JsonObject } from '../event.ts';

/** Most levels of objects and arrays that posted data may have: who reads it may recurse. */
export const deepest = 100;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a parsed value is once it was written and parsed again: 1e999 and -0 do not survive it. */
const asWritten = (value: unknown): unknown => {
  if (typeof value !== 'number') return value;
  return Number.isFinite(value) ? value || 0 : null;
};

/**
 * Makes parsed JSON harmless, in place. Own `__proto__` keys are removed, which would become the
 * prototype of an object that they are assigned to; `constructor` and `prototype` stay: they are
 * data like any other. Numbers become what they are once they have travelled.
 * @returns false where the value has more than `levels` levels; it is then only partly seen to
 */
export const tame = (value: unknown, levels: number = deepest): boolean => {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) {
    for (const [place, item] of value.entries()) {
      if (!tame(item, levels - 1)) return false;
      value[place] = asWritten(item);
    }
    return true;
  }
  const object = value as JsonObject;
  for (const key in object) {
    if (key === '__proto__') {
      Reflect.deleteProperty(object, key);
      continue;
    }
    if (!tame(object[key], levels - 1)) return false;
    object[key] = asWritten(object[key]);
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
