const uuidOf = (version: string): string =>
  `[0-9a-f]{8}-[0-9a-f]{4}-${version}[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`;

/** analytics.js: `ajs-next-<ms>-<uuid>`; analytics-node: `node-next-<ms>-<uuid>`; others `<ms>-<uuid>`. */
const msBeforeUuid = new RegExp(`(?:^|-)(\\d{13})-${uuidOf('[0-9a-f]')}$`, 'i');
/** RFC 9562, 5.7: its first 48 bits are ms since the epoch. */
const uuid7 = new RegExp(`^${uuidOf('7')}$`, 'i');
/** https://github.com/ulid/spec: its first 10 letters are ms since the epoch, in Crockford's base 32. */
const ulid = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i;
const base32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Before there was an SDK of Segment's. */
const earliest = Date.parse('2011-01-01T00:00:00Z');
const clockSkewMs = 86_400_000;

const read = (messageId: string): number | undefined => {
  const ms = msBeforeUuid.exec(messageId)?.[1];
  if (ms !== undefined) return Number(ms);
  if (uuid7.test(messageId)) return parseInt(messageId.replaceAll('-', '').slice(0, 12), 16);
  if (!ulid.test(messageId)) return undefined;
  let time = 0;
  for (const letter of messageId.slice(0, 10).toUpperCase()) {
    time = time * 32 + base32.indexOf(letter);
  }
  return time;
};

/**
 * When a messageId was made, in ms since the epoch by its maker's clock: some SDKs put it there.
 * @returns undefined where it says no time, or one that cannot be
 */
export const timeInId = (messageId: string, now: number): number | undefined => {
  const time = read(messageId);
  return time !== undefined && time >= earliest && time <= now + clockSkewMs ? time : undefined;
};
