import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { createBreather } from '../breather.ts';
import { open, seal, type EncryptionKey } from '../encryption.ts';
import type { Event } from '../event.ts';
import { EncodedEvents, eventsEncoding, sealedEvents } from './payload-converter.ts';

/** An accepted event, with its JSON text: it is serialised once, at the door. */
export interface AcceptedEvent {
  event: Event;
  json: string;
}

/** Events of one source, in the order they came. */
export interface SourceEvents {
  source: string;
  events: readonly AcceptedEvent[];
}

/** An event of a batch with the source it came from. Its place in the batch is its index. */
export interface BatchedEvent {
  source: string;
  event: Event;
}

/**
 * Version 1: one byte 1, then, deflated, lines of JSON: first the sources with how many
 * consecutive events each has, `[["website",3],["shop-17",1]]`, then the events, one a line.
 * Version 2: one byte 2, the length of a key's id in a byte, that id, then, sealed with the key
 * (../encryption.ts), what follows the first byte in version 1.
 * A later version takes another first byte; these stay readable for as long as any history
 * holds them.
 */
const version1 = 1;
const version2 = sealedEvents;
/** Most bytes that a decoded batch may have: a guard against a damaged or hostile payload. */
const decodedLimit = 256 * 1024 * 1024;

/** Characters that are made into bytes at once. */
const pieceLength = 256 * 1024;

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** The lines, made into bytes a piece at a time. */
const linesOf = async (parts: readonly SourceEvents[]): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  const breathe = createBreather();
  let piece = JSON.stringify(parts.map(({ source, events }) => [source, events.length]));
  for (const { events } of parts) {
    for (const { json } of events) {
      piece += `\n${json}`;
      if (piece.length < pieceLength) continue;
      pieces.push(Buffer.from(piece));
      piece = '';
      await breathe();
    }
  }
  pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
};

/**
 * Encodes a batch's events for the workflow's start. Order is kept.
 * @param keys the first encrypts them
 */
export const encodeEvents = async (
  parts: readonly SourceEvents[],
  [key]: readonly EncryptionKey[],
): Promise<EncodedEvents> => {
  // Level 1: events compress well at any level, and the door is where CPU is scarce.
  const body = await deflate(await linesOf(parts), { level: 1 });
  if (key === undefined) return new EncodedEvents(Buffer.concat([Buffer.of(version1), body]));
  const id = Buffer.from(key.id);
  return new EncodedEvents(
    Buffer.concat([Buffer.of(version2, id.length), id, seal(body, key, eventsEncoding)]),
  );
};

/** The deflated lines. */
const bodyOf = (bytes: Uint8Array, keys: readonly EncryptionKey[]): Uint8Array => {
  if (bytes[0] === version1) return bytes.subarray(1);
  if (bytes[0] === version2) {
    const start = 2 + bytes[1]!;
    const keyId = Buffer.from(bytes.subarray(2, start)).toString();
    return open(bytes.subarray(start), keyId, keys, eventsEncoding);
  }
  throw new Error(
    `These events are encoded by version ${String(bytes[0])}; this process reads up to ` +
      `version ${version2}. Run a newer Distributary.`,
  );
};

/**
 * Decodes the bytes that `encodeEvents` made.
 * @param most bytes that they may have once they are decoded
 * @returns the events by their place, and the size of their JSON text in characters
 * @throws CannotOpen where the key is not among these; RangeError
 * (`ERR_BUFFER_TOO_LARGE`) where there is more; Error where the bytes are of an unknown version
 * or damaged
 */
export const decodeEvents = async (
  bytes: Uint8Array,
  keys: readonly EncryptionKey[],
  most = decodedLimit,
): Promise<{ events: BatchedEvent[]; size: number }> => {
  const body = bodyOf(bytes, keys);
  const text = (await inflate(body, { maxOutputLength: most })).toString();
  const [head, ...lines] = text.split('\n');
  const sources = JSON.parse(head!) as [string, number][];
  const events: BatchedEvent[] = [];
  const breathe = createBreather();
  for (const [source, count] of sources) {
    for (let n = 0; n < count; n++) {
      events.push({ source, event: JSON.parse(lines[events.length]!) as Event });
      await breathe();
    }
  }
  return { events, size: text.length };
};
