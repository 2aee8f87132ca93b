import type { Payload } from '@temporalio/common';
import type { Express, RequestHandler, Router } from 'express';
import type { EncryptionKey } from '../encryption.ts';
import { createPayloadCodec } from '../temporal/payload-codec.ts';
import { createReadBody, parseBody } from './body.ts';
import { guardCodec } from './codec-access.ts';
import {
  loginPage,
  loginPolicy,
  newSession,
  sessionCookie,
  sessionOptions,
} from './codec-session.ts';
import { Refused } from './errors.ts';
import { isObject } from './json-data.ts';
import { isSameSecret } from './operator-token.ts';
import { createReadablePayloads } from './readable-payloads.ts';
import { addRoute } from './route.ts';
import { protocolOf } from './settings-route.ts';

export interface CodecDeps {
  keys: readonly EncryptionKey[];
  /** Origins of our own Web UI. */
  webUi: readonly string[];
  /** The operator's. */
  token?: string;
}

const MiB = 1024 * 1024;
/** An answer of Temporal's is at most 4 MiB of payloads, and their base64 a third more. */
const bodyLimits = {
  bytes: 8 * MiB,
  heldBytes: 64 * MiB,
  heldBytesOfSource: 64 * MiB,
  droppedBytes: 16 * MiB,
};
const formLimits = { ...bodyLimits, bytes: 4_096 };

const bytesOf = (value: unknown): Buffer => {
  if (value === undefined || value === null) return Buffer.of();
  if (typeof value !== 'string') throw new Refused('invalid_payloads');
  return Buffer.from(value, 'base64');
};

/** Payloads in protobuf's JSON form: bytes are base64. */
const payloadsIn = (body: unknown): Payload[] => {
  const payloads = isObject(body) ? (body['payloads'] ?? []) : undefined;
  if (!Array.isArray(payloads)) throw new Refused('invalid_payloads');
  return payloads.map((payload: unknown) => {
    const metadata = isObject(payload) ? (payload['metadata'] ?? {}) : undefined;
    if (!isObject(payload) || !isObject(metadata)) throw new Refused('invalid_payloads');
    return {
      metadata: Object.fromEntries(
        Object.entries(metadata).map(([name, value]) => [name, bytesOf(value)]),
      ),
      data: bytesOf(payload['data']),
    };
  });
};
const base64 = (bytes: Uint8Array | null | undefined): string =>
  Buffer.from(bytes ?? []).toString('base64');
const jsonOf = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]),
  ),
  data: base64(data),
});

/** An address' origin, as browsers name it. */
const originOf = (address: string): string | undefined => {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url.origin : undefined;
};

/**
 * The codec endpoint, which makes payloads readable to the Web UI and the CLI, and encodes what they
 * send: https://docs.temporal.io/production-deployment/data-encryption. It knows nothing of Temporal:
 * whoever asks brings the payloads along.
 */
export const addCodecRoutes = (
  app: Express,
  router: Router,
  { keys, webUi, token }: CodecDeps,
  now: () => number,
): void => {
  const readBody = createReadBody(bodyLimits);
  const readForm = createReadBody(formLimits);
  const codec = createPayloadCodec(keys);
  const translate =
    (by: (payloads: Payload[]) => Promise<Payload[]>): RequestHandler =>
    async (request, response) => {
      const body = await readBody(request, (raw) =>
        parseBody(raw, request.headers['content-encoding'], bodyLimits.bytes),
      );
      const payloads = payloadsIn(body);
      let translated: Payload[];
      try {
        translated = await by(payloads);
      } catch (error) {
        if (error instanceof Refused) throw error;
        throw new Refused('undecodable', (error as Error).message);
      }
      response.set('Cache-Control', 'no-store').json({ payloads: translated.map(jsonOf) });
    };

  app.use(['/codec/decode', '/codec/encode'], guardCodec({ webUi, token, now }));
  addRoute(router, 'post', ['/codec/decode'], translate(createReadablePayloads(keys)));
  addRoute(
    router,
    'post',
    ['/codec/encode'],
    translate((payloads) => codec.encode(payloads)),
  );

  addRoute(router, 'get', ['/codec/login'], (_request, response) => {
    response.set({ 'Content-Security-Policy': loginPolicy, 'Cache-Control': 'no-store' });
    response.type('html').send(loginPage);
  });
  addRoute(router, 'post', ['/codec/session'], async (request, response) => {
    const form = await readForm(request, (raw) => new URLSearchParams(raw.toString()));
    const origin = originOf(form.get('origin') ?? '');
    if (token === undefined || !isSameSecret(form.get('token') ?? '', token)) {
      throw new Refused('operators_only', 'That is not the operator token (operator.token)');
    }
    if (origin === undefined) {
      throw new Refused('bad_request', 'origin must be the http or https address of the Web UI');
    }
    const options = sessionOptions(protocolOf(request) === 'https');
    response.set('Cache-Control', 'no-store');
    response.cookie(sessionCookie, newSession(token, origin, now()), options);
    response.type('text').send(`The Web UI at ${origin} may show events in this browser now.\n`);
  });
};
