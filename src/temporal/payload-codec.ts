import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { open, seal, type EncryptionKey } from '../encryption.ts';
import { eventsEncoding } from './payload-converter.ts';

/**
 * Marks what this codec made. For ever: histories in the field carry it. Its first byte tells the
 * version: 1 is followed by a packed payload, deflated; 2 by the same, sealed (../encryption.ts) with
 * the key that the metadata names.
 */
const codecEncoding = 'binary/distributary';
const packedVersion = 1;
const sealedVersion = 2;
const keyIdName = 'encryption-key-id';

/** What is smaller is not worth compressing. */
const leastBytes = 128;
/** What is larger is compressed on another thread, which costs more than it takes for what is not. */
const mostBytesAtOnce = 32 * 1024;
/** Most bytes of a decoded payload: a guard against a damaged or hostile one. */
const decodedLimit = 64 * 1024 * 1024;

const metadataLengthBytes = 4;
const utf8 = new TextEncoder();
const marker = utf8.encode(codecEncoding);
const none = new Uint8Array();

const textOf = (bytes: Uint8Array | null | undefined): string =>
  Buffer.from(bytes ?? none).toString();
const encodingOf = ({ metadata }: Payload): string => textOf(metadata?.['encoding']);

/** A payload as bytes: the length of its metadata, these as JSON of Latin-1 text, its data. */
const pack = ({ metadata, data }: Payload): Buffer => {
  const entries = Object.entries(metadata ?? {});
  const head = Buffer.from(
    JSON.stringify(
      Object.fromEntries(entries.map(([k, value]) => [k, Buffer.from(value).toString('latin1')])),
    ),
  );
  const length = Buffer.alloc(metadataLengthBytes);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, data ?? none]);
};

const unpack = (packed: Buffer): Payload => {
  const end = metadataLengthBytes + packed.readUInt32BE();
  const head = JSON.parse(packed.toString('utf8', metadataLengthBytes, end)) as Record<
    string,
    string
  >;
  return {
    metadata: Object.fromEntries(
      Object.entries(head).map(([k, text]) => [k, Buffer.from(text, 'latin1')]),
    ),
    data: packed.subarray(end),
  };
};

const deflateApart = promisify(deflateRaw);
const inflateApart = promisify(inflateRaw);
const deflate = (bytes: Buffer): Buffer | Promise<Buffer> =>
  bytes.length <= mostBytesAtOnce ? deflateRawSync(bytes) : deflateApart(bytes);
const inflate = (bytes: Uint8Array, most: number): Buffer | Promise<Buffer> => {
  const limit = { maxOutputLength: most };
  return bytes.length <= mostBytesAtOnce / 4
    ? inflateRawSync(bytes, limit)
    : inflateApart(bytes, limit);
};

const encodeOne = async (payload: Payload, key: EncryptionKey | undefined): Promise<Payload> => {
  // The events are compressed, and encrypted, by themselves (events-encoding.ts).
  if (encodingOf(payload) === eventsEncoding) return payload;
  const size = payload.data?.length ?? 0;
  if (key === undefined && size < leastBytes) return payload;
  const packed = await deflate(pack(payload));
  if (key === undefined) {
    return packed.length + marker.length < size
      ? {
          metadata: { encoding: marker },
          data: Buffer.concat([Buffer.of(packedVersion), packed]),
        }
      : payload;
  }
  return {
    metadata: { encoding: marker, [keyIdName]: utf8.encode(key.id) },
    data: Buffer.concat([Buffer.of(sealedVersion), seal(packed, key, codecEncoding)]),
  };
};

/**
 * Decodes one payload; what another wrote passes through.
 * @param most bytes that it may have once it is decoded
 * @throws RangeError (`ERR_BUFFER_TOO_LARGE`) where it has more; CannotOpen where a key is missing; Error
 * where it is damaged or of a later version
 */
export const decodePayload = async (
  payload: Payload,
  keys: readonly EncryptionKey[],
  most = decodedLimit,
): Promise<Payload> => {
  if (encodingOf(payload) !== codecEncoding) return payload;
  const data = payload.data ?? none;
  const body = data.subarray(1);
  switch (data[0]) {
    case packedVersion:
      return unpack(await inflate(body, most));
    case sealedVersion: {
      const keyId = textOf(payload.metadata?.[keyIdName]);
      return unpack(await inflate(open(body, keyId, keys, codecEncoding), most));
    }
    default:
      throw new Error(
        `This payload is encoded by version ${String(data[0])}; this process reads up to ` +
          `version ${sealedVersion}. Run a newer Distributary.`,
      );
  }
};

/**
 * Compresses what crosses Temporal, and encrypts it with the first key, if there is any. Whatever any
 * key, or none, has encoded is decoded; what another wrote passes through.
 */
export const createPayloadCodec = (keys: readonly EncryptionKey[]): PayloadCodec => ({
  encode: (payloads) => Promise.all(payloads.map((payload) => encodeOne(payload, keys[0]))),
  decode: (payloads) => Promise.all(payloads.map((payload) => decodePayload(payload, keys))),
});
