import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { EncryptionKey } from '../../src/encryption.ts';
import { decodeEvents, encodeEvents } from '../../src/temporal/events-encoding.ts';
import { createPayloadCodec } from '../../src/temporal/payload-codec.ts';
import { payloadConverter } from '../../src/temporal/payload-converter.ts';
import { UserError } from '../../src/user-error.ts';
import { trackEvent } from '../support/events.ts';

const createKey = (id: string): EncryptionKey => ({ id, key: createSecretKey(randomBytes(32)) });
const [older, newer] = [createKey('2026-01'), createKey('2026-07')] as const;

const plan = { destinations: Array.from({ length: 40 }, (_, at) => ({ name: `mixpanel-${at}` })) };
/** One of every kind, and of sizes on either side of each threshold. */
const values: [string, unknown][] = [
  ['nothing', undefined],
  ['a word', 'ada'],
  ['a plan', plan],
  ['bytes', new Uint8Array(randomBytes(300))],
  ['a megabyte of text', 'all work and no play '.repeat(50_000)],
  ['a megabyte of noise', randomBytes(500_000).toString('hex')],
];
const payloadOf = (value: unknown): Payload => payloadConverter.toPayload(value);
/** As the wire has it: the bytes, and nothing of ours that only looks like them. */
const plainly = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata!).map(([key, value]) => [key, Buffer.from(value).toString()]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});
const encode = async (value: unknown, keys: readonly EncryptionKey[]): Promise<Payload> =>
  (await createPayloadCodec(keys).encode([payloadOf(value)]))[0]!;
const decode = async (payload: Payload, keys: readonly EncryptionKey[]): Promise<Payload> =>
  (await createPayloadCodec(keys).decode([payload]))[0]!;
const sizeOf = ({ metadata, data }: Payload): number =>
  Object.values(metadata!).reduce((sum, value) => sum + value.length, data?.length ?? 0);

const event = trackEvent();
const parts = [{ source: 'website', events: [{ event, json: JSON.stringify(event) }] }];

/** What a promise is rejected with, as a message of the user's own doing. */
const mistake = async (promise: Promise<unknown>): Promise<string> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
};

describe.each([
  ['without keys', []],
  ['with a key', [older]],
])('%s', (_, keys) => {
  test.each(values)('%s comes back as it was', async (__, value) => {
    const payload = payloadOf(value);
    const decoded = await decode(await encode(value, keys), keys);
    expect(plainly(decoded)).toEqual(plainly(payload));
    expect(payloadConverter.fromPayload(decoded)).toEqual(value);
  });

  test.each(values)('%s comes back where Temporal had it plain', async (__, value) => {
    const payload = defaultPayloadConverter.toPayload(value);
    expect(await decode(payload, keys)).toBe(payload);
  });

  test('what repeats itself shrinks', async () => {
    for (const value of [plan, 'all work and no play '.repeat(50_000)]) {
      expect(sizeOf(await encode(value, keys))).toBeLessThan(sizeOf(payloadOf(value)) / 3);
    }
  });

  test('events come back, and the codec leaves them alone', async () => {
    const events = await encodeEvents(parts, keys);
    expect(events.bytes[0]).toBe(keys.length === 0 ? 1 : 2);
    const payload = payloadOf(events);
    const [encoded] = await createPayloadCodec(keys).encode([payload]);
    expect(encoded).toBe(payload);
    expect(await decodeEvents(events.bytes, keys)).toMatchObject({
      events: [{ source: 'website', event }],
    });
  });
});

test('without keys nothing grows', async () => {
  for (const [, value] of values) {
    const payload = payloadOf(value);
    expect(sizeOf(await encode(value, []))).toBeLessThanOrEqual(sizeOf(payload));
  }
});

describe('with keys', () => {
  const sealed = () => encode('Order Completed by ada', [older]);

  test('what is sealed holds no word of it, names its key, and is never the same twice', async () => {
    const [one, two] = [await sealed(), await sealed()];
    expect(plainly(one).metadata).toEqual({
      encoding: 'binary/distributary',
      'encryption-key-id': '2026-01',
    });
    for (const word of ['ada', 'Order', 'json/plain']) {
      expect(Buffer.from(one.data!).includes(word)).toBe(false);
    }
    expect(plainly(one).data).not.toBe(plainly(two).data);
    const events = await encodeEvents(parts, [older]);
    expect(Buffer.from(events.bytes).includes('2026-01')).toBe(true);
  });

  test('a new key goes first, and what the old one encrypted stays readable', async () => {
    const rotated = [newer, older];
    for (const key of [older, newer]) {
      const payload = await encode(plan, [key]);
      expect(payloadConverter.fromPayload(await decode(payload, rotated))).toEqual(plan);
      const { bytes } = await encodeEvents(parts, [key]);
      expect((await decodeEvents(bytes, rotated)).events).toHaveLength(1);
    }
    expect(plainly(await encode(plan, rotated)).metadata).toMatchObject({
      'encryption-key-id': '2026-07',
    });
  });

  test('what was written without keys stays readable', async () => {
    expect(payloadConverter.fromPayload(await decode(await encode(plan, []), [newer]))).toEqual(
      plan,
    );
    const { bytes } = await encodeEvents(parts, []);
    expect((await decodeEvents(bytes, [newer])).events).toHaveLength(1);
  });

  test('a key that is gone is told by its id, with the remedy', async () => {
    const missing = /encrypted with the key "2026-01", which is not among encryption\.keys/;
    const { bytes } = await encodeEvents(parts, [older]);
    for (const keys of [[], [newer]]) {
      expect(await mistake(decode(await sealed(), keys))).toMatch(missing);
      expect(await mistake(decodeEvents(bytes, keys))).toMatch(missing);
    }
  });

  test('another key of the same id opens nothing, and no key is told', async () => {
    const other = createKey('2026-01');
    const words = await mistake(decode(await sealed(), [other]));
    expect(words).toMatch(/does not open with the key "2026-01"/);
    for (const { key } of [other, older]) {
      for (const form of ['hex', 'base64'] as const) {
        expect(words).not.toContain(key.export().toString(form));
      }
    }
  });

  test('a byte that was changed, wherever it is, is noticed', async () => {
    const { data, metadata } = await sealed();
    for (let at = 1; at < data!.length; at++) {
      const changed = Buffer.from(data!);
      changed[at]! ^= 1;
      expect(await mistake(decode({ metadata: metadata!, data: changed }, [older]))).toMatch(
        /does not open/,
      );
    }
    const cut = Buffer.from(data!).subarray(0, 20);
    expect(await mistake(decode({ metadata: metadata!, data: cut }, [older]))).toMatch(
      /does not open/,
    );
  });

  test('events and payloads do not open as each other, nor under another key id', async () => {
    const { key } = older;
    const { metadata, data } = await sealed();
    const renamed = { ...metadata!, 'encryption-key-id': Buffer.from('twin') };
    await mistake(decode({ metadata: renamed, data: data! }, [{ id: 'twin', key }]));

    const { bytes } = await encodeEvents(parts, [older]);
    const body = bytes.subarray(2 + older.id.length);
    await mistake(
      decode({ metadata: metadata!, data: Buffer.concat([Buffer.of(2), body]) }, [older]),
    );
  });
});

test('a version of tomorrow asks for a newer Distributary', async () => {
  const metadata = { encoding: Buffer.from('binary/distributary') };
  await expect(decode({ metadata, data: Buffer.of(9, 1, 2) }, [])).rejects.toThrow(
    /encoded by version 9.*newer Distributary/,
  );
  await expect(decodeEvents(Buffer.of(9, 1, 2), [])).rejects.toThrow(
    /encoded by version 9.*newer Distributary/,
  );
});
