import type { JsonObject } from '../event.ts';

/**
 * A partner's names, each with where its value is to be found (`page.url`); where several places are
 * given, the first counts that has one.
 */
export type Places = Readonly<Record<string, string | readonly string[]>>;
/** The same, made ready once. */
export type PlaceTable = readonly { name: string; paths: readonly (readonly string[])[] }[];
/** Our names of fields, each with the partner's. */
export type NamesByField = Readonly<Record<string, string>>;

type Scalar = string | number | boolean;

/** What a partner holds of a flat object. What goes beyond it is left out, and long texts are cut. */
export interface Limits {
  /** Most fields. */
  most: number;
  /** What the name of a field looks like. */
  name: RegExp;
  /** Most characters of a text. */
  longest: number;
  /** The same, for single fields. */
  longestOf?: Readonly<Record<string, number>>;
  /** What is there where nothing else is said. */
  always?: Readonly<Record<string, Scalar>>;
  /** How single fields are written: as a text, as an amount, … Undefined leaves one out. */
  written?: Readonly<Record<string, (value: Scalar) => Scalar | undefined>>;
}

/** An object as it is, and anything else as an empty one. */
export const objectOf = (value: unknown): JsonObject =>
  typeof value === 'object' && value !== null ? (value as JsonObject) : {};

/** At most so many of the first of some values that is a list; of none, an empty one. */
export const listOf = (most: number, ...values: unknown[]): unknown[] =>
  (values.find(Array.isArray) ?? []).slice(0, most);

export const placeTable = (places: Places): PlaceTable =>
  Object.entries(places).map(([name, place]) => ({
    name,
    paths: [place].flat().map((path) => path.split('.')),
  }));

/** The fields of a table that are there, by the partner's names; null and '' count as absent. */
export const pick = (source: unknown, table: PlaceTable): JsonObject => {
  const picked: JsonObject = {};
  for (const { name, paths } of table) {
    for (const path of paths) {
      let value = source;
      for (const key of path) value = objectOf(value)[key];
      if (value !== undefined && value !== null && value !== '') picked[name] ??= value;
    }
  }
  return picked;
};

/** What a table says of a name; nothing of `constructor`, which every object knows. */
const said = <T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined =>
  table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;

/** Every field, by the partner's name where the table has one. */
export const rename = (source: JsonObject, table: NamesByField): JsonObject =>
  Object.fromEntries(
    Object.entries(source).map(([field, value]) => [said(table, field) ?? field, value]),
  );

const isScalar = (value: unknown): value is Scalar =>
  typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);

/** The fields that hold a text, a number or a boolean: without nulls, arrays and objects. */
export const scalars = (source: JsonObject): Record<string, Scalar> => {
  const held: Record<string, Scalar> = {};
  for (const [field, value] of Object.entries(source)) if (isScalar(value)) held[field] = value;
  return held;
};

/** A name with `_` for each space. */
export const underscored = (name: string): string => name.trim().replace(/\s+/g, '_');

/** The beginning of a text, at most so many UTF-16 units long; no character is torn in two. */
const cut = (text: string, longest: number): string =>
  text.length <= longest ? text : text.slice(0, longest).replace(/[\ud800-\udbff]$/, '');

/** Of the scalar fields what a partner holds, in their order; spaces in names become `_`. */
export const within = (source: JsonObject, limits: Limits): Record<string, Scalar> => {
  const held: Record<string, Scalar> = {};
  let room = limits.most;
  for (const [field, value] of Object.entries({ ...limits.always, ...scalars(source) })) {
    const name = underscored(field);
    const isHeld = value !== '' && limits.name.test(name) && !Object.hasOwn(held, name);
    if (!isHeld || room === 0) continue;
    const write = said(limits.written, name);
    const fitting = write === undefined ? value : write(value);
    if (fitting === undefined) continue;
    const longest = said(limits.longestOf, name) ?? limits.longest;
    held[name] = typeof fitting === 'string' ? cut(fitting, longest) : fitting;
    room -= 1;
  }
  return held;
};
