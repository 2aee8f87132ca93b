import { hash } from 'node:crypto';
import type { Source } from '../config.ts';
import { Refused } from './errors.ts';
import { isObject } from './json-data.ts';
import type { Posted } from './posted.ts';

/** Finds sources by their write keys. */
export interface WriteKeys {
  /** The source's name; undefined where the key is no source's. */
  sourceOf(writeKey: string): string | undefined;
}

/** Keys are looked up by their hash, so that how long it takes tells nothing about them. */
export const createWriteKeys = (sources: readonly Source[]): WriteKeys => {
  const digest = (writeKey: string): string => hash('sha256', writeKey, 'base64');
  const names = new Map(sources.map(({ name, writeKey }) => [digest(writeKey), name]));
  return { sourceOf: (writeKey) => names.get(digest(writeKey)) };
};

/**
 * The write key of an `Authorization` header: Basic's user name, with or without the colon. Other
 * schemes carry none: with OAuth's Bearer the key is in the body.
 */
export const basicWriteKey = (authorization: string | undefined): string | undefined => {
  const encoded = /^basic +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [user] = Buffer.from(encoded, 'base64').toString().split(':', 1);
  return user === '' ? undefined : user;
};

const textOrNothing = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** The write key of a posted event. */
export const eventWriteKey = (event: unknown): string | undefined =>
  isObject(event) ? textOrNothing(event['writeKey']) : undefined;

/**
 * The write key of a body: its own, else the first that one of its events has. In the latter case
 * `byEvent` is true, and events with another key are not this source's.
 */
export const bodyWriteKey = (
  posted: Posted,
): { writeKey: string | undefined; byEvent: boolean } => {
  const own = textOrNothing(posted.writeKey);
  if (own !== undefined) return { writeKey: own, byEvent: false };
  for (const event of posted.events) {
    const writeKey = eventWriteKey(event);
    if (writeKey !== undefined) return { writeKey, byEvent: true };
  }
  return { writeKey: undefined, byEvent: false };
};

/**
 * @returns the name of the source that a write key belongs to
 * @throws Refused where it is absent or wrong
 */
export const authenticate = (keys: WriteKeys, writeKey: string | undefined): string => {
  if (writeKey === undefined) throw new Refused('no_write_key');
  const source = keys.sourceOf(writeKey);
  if (source === undefined) throw new Refused('invalid_write_key');
  return source;
};
