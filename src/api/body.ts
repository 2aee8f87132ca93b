import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { Overloaded } from './coalescer.ts';
import { Refused } from './errors.ts';

export interface BodyLimits {
  /** Most bytes of a body, decompressed. */
  bytes: number;
  /** Most bytes that all bodies may have together, while they are read and used. */
  heldBytes: number;
  /** The same of one source, where the header names it: a flood of one leaves room for others. */
  heldBytesOfSource: number;
  /**
   * Of a body that is too large, how much is let in and dropped: a client that is cut off while it
   * sends sees a broken connection instead of the answer, and sends it again.
   */
  droppedBytes: number;
}

const MiB = 1024 * 1024;
/** Segment's clients send up to 512,000 bytes, and analytics-node, by a slip, 821,923 and more. */
const bodyLimits: BodyLimits = {
  bytes: MiB,
  heldBytes: 256 * MiB,
  heldBytesOfSource: 64 * MiB,
  droppedBytes: 16 * MiB,
};

const tooLarge = (bytes: number): Refused =>
  new Refused('request_too_large', `The body has more than ${bytes} bytes, decompressed`);

/**
 * Reads a request's body as it was sent.
 * @param use what is done with it; it counts as held until that has ended
 * @param source whose it is, where that is known
 * @param early what the request is refused with whatever its body is, which is dropped then
 * @returns what `use` does
 * @throws Refused where it is too large or cut short, Overloaded where too many others are held, and
 * what `use` throws
 */
export type ReadBody = <T>(
  request: IncomingMessage,
  use: (body: Buffer) => T | Promise<T>,
  source?: string,
  early?: Error,
) => Promise<T>;

export const createReadBody = (limits: BodyLimits = bodyLimits): ReadBody => {
  let held = 0;
  const heldOf = new Map<string, number>();
  const holdOf = (source: string, bytes: number): void => {
    const sum = (heldOf.get(source) ?? 0) + bytes;
    if (sum === 0) heldOf.delete(source);
    else heldOf.set(source, sum);
  };
  return (request, use, source = '', early) =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let kept = 0;
      let received = 0;
      let refused: Error | undefined = early;
      const release = () => {
        held -= kept;
        holdOf(source, -kept);
        kept = 0;
        chunks.length = 0;
      };
      const refuse = (error: Error) => {
        refused ??= error;
        release();
      };
      const aborted = () => {
        refuse(new Refused('request_aborted'));
        reject(refused!);
      };
      request.on('data', (chunk: Buffer) => {
        received += chunk.length;
        if (received > limits.bytes) refuse(tooLarge(limits.bytes));
        if (held + chunk.length > limits.heldBytes) {
          refuse(new Overloaded(503, 'Too many requests arrive at once', 1));
        }
        if (source !== '' && (heldOf.get(source) ?? 0) + chunk.length > limits.heldBytesOfSource) {
          refuse(new Overloaded(429, `Too many requests of ${source} arrive at once`, 1));
        }
        if (refused === undefined) {
          chunks.push(chunk);
          kept += chunk.length;
          held += chunk.length;
          holdOf(source, chunk.length);
        } else if (received > limits.droppedBytes) reject(refused);
      });
      const end = async () => {
        if (refused !== undefined) throw refused;
        const body = Buffer.concat(chunks);
        chunks.length = 0;
        try {
          return await use(body);
        } finally {
          release();
        }
      };
      request.on('end', () => {
        request.off('close', aborted);
        end().then(resolve, reject);
      });
      request.on('close', aborted);
    });
};

const decoders = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

const encodingOf = (header: string | undefined): string => {
  const encoding = (header ?? '').trim().toLowerCase();
  return encoding === 'identity' ? '' : encoding;
};

/** How much smaller events usually are as they are compressed. */
const usualRatio = 8;

/** About how many bytes a body has, decompressed. */
export const likelyBytes = ({ length }: Buffer, contentEncoding: string | undefined): number =>
  encodingOf(contentEncoding) === '' ? length : length * usualRatio;

const decompressed = async (body: Buffer, encoding: string, most: number): Promise<Buffer> => {
  if (encoding === '') return body;
  if (!Object.hasOwn(decoders, encoding)) throw new Refused('unsupported_encoding');
  try {
    return await decoders[encoding as keyof typeof decoders](body, { maxOutputLength: most });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(most);
    throw new Refused('invalid_compression');
  }
};

/**
 * The JSON value in a body. Its content type is not asked for: browsers say text/plain, and
 * rudder-sdk-node application/x-www-form-urlencoded.
 * @param contentEncoding the header's value
 * @throws Refused
 */
export const parseBody = async (
  body: Buffer,
  contentEncoding: string | undefined,
  most: number = bodyLimits.bytes,
): Promise<unknown> => {
  const bytes = await decompressed(body, encodingOf(contentEncoding), most);
  if (!isUtf8(bytes)) throw new Refused('invalid_utf8');
  const text = bytes.toString();
  try {
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text);
  } catch (error) {
    // The parser's own words quote the body.
    const position = /position (\d+)/.exec(String(error))?.[1];
    throw new Refused(
      'invalid_json',
      position === undefined ? undefined : `The body is not JSON (at position ${position})`,
    );
  }
};
