import type { Payload } from '@temporalio/common';
import type { EncryptionKey } from '../encryption.ts';
import { decodeEvents } from '../temporal/events-encoding.ts';
import { createPayloadCodec } from '../temporal/payload-codec.ts';
import { eventsEncoding } from '../temporal/payload-converter.ts';

/** Most characters of JSON that a batch is shown as: a browser has to bear it. */
const shownLimit = 16 * 1024 * 1024;

const isEvents = ({ metadata }: Payload): boolean =>
  Buffer.from(metadata?.['encoding'] ?? []).toString() === eventsEncoding;

/** A batch's events as a list, the last item of which says how many are left out, if any are. */
const shown = async (bytes: Uint8Array, keys: readonly EncryptionKey[]): Promise<Payload> => {
  const { events } = await decodeEvents(bytes, keys);
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
  return {
    metadata: { encoding: Buffer.from('json/plain') },
    data: Buffer.from(`[${items.join(',')}]`),
  };
};

/** Decodes payloads for people: a batch's events too, as `json/plain`. What is none of ours stays. */
export const createReadablePayloads = (
  keys: readonly EncryptionKey[],
): ((payloads: Payload[]) => Promise<Payload[]>) => {
  const codec = createPayloadCodec(keys);
  return async (payloads) => {
    const decoded = await codec.decode(payloads);
    const readable: Payload[] = [];
    for (const payload of decoded) {
      readable.push(isEvents(payload) ? await shown(payload.data ?? Buffer.of(), keys) : payload);
    }
    return readable;
  };
};
