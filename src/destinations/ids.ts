import { createHash } from 'node:crypto';
import type { Event } from '../event.ts';
import { insist } from './define.ts';

/**
 * What clients send as the id of somebody they do not know. Mixpanel refuses all of these
 * (https://docs.mixpanel.com/reference/import-events, "High-level requirements"), Amplitude most;
 * elsewhere they would make one person of many.
 */
const nobody = new Set(
  '00000000-0000-0000-0000-000000000000 anon anonymous nil none null n/a na undefined unknown'
    .concat(' <nil> [] {} 0 -1 true false')
    .split(' '),
);

/** An id where it names somebody; undefined where it names nobody. */
export const known = (id: string | undefined): string | undefined =>
  id !== undefined && nobody.has(id) ? undefined : id;

/** An id that names somebody. @throws Error where it is absent or names nobody */
export const named = (id: string | undefined): string => {
  insist(id !== undefined && !nobody.has(id), `the id "${id ?? ''}" names nobody`);
  return id;
};

/** Whose event it is: the user, or else the unknown visitor. @throws Error where it is nobody's */
export const personOf = ({ userId, anonymousId }: Pick<Event, 'userId' | 'anonymousId'>): string =>
  known(userId) ?? known(anonymousId) ?? named(userId ?? anonymousId);

/** A messageId without what Segment's SDKs put before its uuid. */
const bare = (messageId: string): string => messageId.replace(/^(ajs|node)-next-\d+-/, '');

export const digest = (text: string, encoding: 'hex' | 'base64url'): string =>
  createHash('sha256').update(text).digest(encoding);

/** A messageId as letters, digits and "-", at most so many: as it is where it fits, or else hashed. */
export const plainId = (messageId: string, longest: number): string => {
  const id = bare(messageId);
  return /^[A-Za-z0-9-]+$/.test(id) && id.length <= longest && !nobody.has(id)
    ? id
    : digest(messageId, 'hex').slice(0, longest);
};

/** The namespace of our name-based uuids: made once, and never to be changed. */
const namespace = Buffer.from('5d0b6c1e8f2a4c63a1f79a2e47d3b085', 'hex');
const uuidPattern = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** A messageId as a uuid: its own where it has one, or else one made of it (RFC 9562, version 5). */
export const uuidOf = (messageId: string): string => {
  const id = bare(messageId);
  if (uuidPattern.test(id) && !nobody.has(id)) return id;
  const bytes = createHash('sha1').update(namespace).update(messageId).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
