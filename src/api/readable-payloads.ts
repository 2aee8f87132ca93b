import type { Payload } from '@temporalio/common';
import type { EncryptionKey } from '../encryption.ts';
import { decodeEvents } from '../temporal/events-encoding.ts';
import { decodePayload } from '../temporal/payload-codec.ts';
import { eventsEncoding } from '../temporal/payload-converter.ts';
import { Refused } from './errors.ts';

/** Most characters of JSON that a batch is shown as: a browser has to bear it. */
const shownLimit = 16 * 1024 * 1024;

/** Most bytes that the payloads of one request may have in all once they are inflated. */
const mostInAll = 64 * 1024 * 1024;

const isEvents = ({ metadata }: Payload): boolean =>
  Buffer.from(metadata?.['encoding'] ?? []).toString() === eventsEncoding;

/** A batch's events as a list, the last item of which says how many are left out, if any are. */
const shown = async (
  bytes: Uint8Array,
  keys: readonly EncryptionKey[],
  most: number,
): Promise<{ payload: Payload; size: number }> => {
  const { events, size: whole } = await decodeEvents(bytes, keys, most);
  const items: string[] = [];
  let size = 0;
  for (const [at, event] of events.entries()) {
    const item = JSON.stringify(event);
    size += item.length;
    if (size > shownLimit) {
      items.push(JSON.stringify({ leftOut: events.length - at }));
      break;
    }
    items.push(item);
  }
  const payload = {
    metadata: { encoding: Buffer.from('json/plain') },
    data: Buffer.from(`[${items.join(',')}]`),
  };
  return { payload, size: whole };
};

const isTooLarge = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';

/**
 * Decodes payloads for people: a batch's events too, as `json/plain`. What is none of ours stays. One goes
 * after the other: a small body may hold much, and all of it at once would be too much.
 * @throws Refused `decoded_too_large`
 */
export const createReadablePayloads =
  (keys: readonly EncryptionKey[]) =>
  async (payloads: readonly Payload[]): Promise<Payload[]> => {
    const readable: Payload[] = [];
    let left = mostInAll;
    const decode = async (given: Payload): Promise<Payload> => {
      const payload = await decodePayload(given, keys, left);
      if (payload !== given) left -= payload.data?.length ?? 0;
      if (!isEvents(payload)) return payload;
      const events = await shown(payload.data ?? Buffer.of(), keys, Math.max(1, left));
      left -= events.size;
      return events.payload;
    };
    for (const payload of payloads) {
      try {
        if (left <= 0) throw new Refused('decoded_too_large');
        readable.push(await decode(payload));
      } catch (error) {
        throw isTooLarge(error) ? new Refused('decoded_too_large') : error;
      }
    }
    return readable;
  };
