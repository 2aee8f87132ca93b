import { lookup as resolve, type LookupAddress, type LookupOptions } from 'node:dns';
import { Agent, buildConnector, errors, request } from 'undici';
import type { PartnerRequest, PartnerResponse } from '../destinations/define.ts';
import { isPrivateAddress, isPublic } from './addresses.ts';

/** Most characters that are read of an answer; what is beyond is not waited for. */
const answerLimit = 1024 * 1024; // partners list what failed, at some 200 bytes a record
const connectTimeoutMs = 5_000;
const keepAliveMs = 30_000;

/** A request that got no answer. */
export interface NoAnswer {
  /**
   * `unreachable`: nothing was sent; `silent`: sent, and no answer in time; `broken`: the
   * connection ended in the middle; `forbidden`: an address that we may not reach.
   */
  failure: 'unreachable' | 'silent' | 'broken' | 'forbidden';
  /** In words; holds no secret and no path of the address. */
  reason: string;
}

/** A request whose body is encoded. */
export type EncodedRequest = Omit<PartnerRequest, 'body'> & { body: Buffer };

export interface Http {
  /**
   * Sends one request; never throws, and never repeats. Follows no redirect.
   * @param timeoutMs for the whole exchange
   */
  send: (request: EncodedRequest, timeoutMs: number) => Promise<PartnerResponse | NoAnswer>;
  close: () => Promise<void>;
}

class ForbiddenAddress extends Error {}

const forbid = (host: string, address: string): ForbiddenAddress =>
  new ForbiddenAddress(
    host === address
      ? `${host} is a private, loopback or reserved address`
      : `${host} resolves to ${address}, a private, loopback or reserved address`,
  );

/** Resolves like the system does, but fails where any address of the name is not public. */
const publicLookup = (
  host: string,
  options: LookupOptions,
  callback: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
): void => {
  resolve(host, { ...options, all: true }, (error, addresses) => {
    const forbidden = (error === null ? addresses : []).find(({ address }) => !isPublic(address));
    if (error !== null) callback(error, []);
    else if (forbidden !== undefined) callback(forbid(host, forbidden.address), []);
    else if (options.all === true) callback(null, addresses);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  });
};

/**
 * Checks the address that is connected to, not the name: a name may resolve to anything, and
 * differently each time. Addresses written as such are never looked up, so they are checked here.
 */
const guardedConnector = (): buildConnector.connector => {
  const connect = buildConnector({ timeout: connectTimeoutMs, lookup: publicLookup });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    if (isPrivateAddress(host)) callback(forbid(host, host), null);
    else connect(options, callback);
  };
};

const unreachable = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);
/** Certificates are checked before anything is sent; other faults of TLS may come at any time. */
const badCertificate = /CERT|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;

/** Whether nothing can have been sent: a network that goes away may do so in the middle, too. */
const isUnreachable = (code: string, syscall: string | undefined): boolean =>
  unreachable.has(code) || syscall === 'connect' || badCertificate.test(code);

/** A network error in words that hold no more of the address than its host. */
const noAnswer = (error: unknown, timeoutMs: number): NoAnswer => {
  if (error instanceof ForbiddenAddress) {
    return {
      failure: 'forbidden',
      reason: `${error.message}; network.allowPrivate is not set`,
    };
  }
  const { name, code = name, syscall } = error as NodeJS.ErrnoException;
  if (
    name === 'TimeoutError' ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError
  ) {
    return { failure: 'silent', reason: `no answer within ${timeoutMs / 1_000} s` };
  }
  return isUnreachable(code, syscall)
    ? { failure: 'unreachable', reason: `could not connect (${code})` }
    : { failure: 'broken', reason: `the connection broke (${code})` };
};

/** Replaces scheme, host and port of an address. */
const moved = (url: string, endpoint: string): string => {
  const { pathname, search } = new URL(url);
  return endpoint.replace(/\/$/, '') + pathname + search;
};

/**
 * The only way to partners: pools connections per origin, with timeouts and bounded answers.
 * @param endpoint replaces scheme, host and port of every request
 * @param allowPrivate whether loopback, private, link-local and metadata addresses may be reached
 */
export const createHttp = ({
  endpoint,
  allowPrivate,
}: {
  endpoint?: string | undefined;
  allowPrivate: boolean;
}): Http => {
  const agent = new Agent({
    connect: allowPrivate ? { timeout: connectTimeoutMs } : guardedConnector(),
    keepAliveTimeout: keepAliveMs,
    pipelining: 1,
    connections: null,
  });

  const readBody = async (body: AsyncIterable<Buffer>): Promise<string> => {
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of body) {
      parts.push(part);
      size += part.length;
      if (size >= answerLimit) break; // ends the stream, and with it the connection
    }
    return Buffer.concat(parts).subarray(0, answerLimit).toString();
  };

  return {
    send: async ({ method, url, headers, body }, timeoutMs) => {
      try {
        const response = await request(endpoint === undefined ? url : moved(url, endpoint), {
          dispatcher: agent,
          method,
          headers,
          body,
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
          signal: AbortSignal.timeout(timeoutMs),
        });
        return {
          status: response.statusCode,
          headers: response.headers,
          body: await readBody(response.body as AsyncIterable<Buffer>),
        };
      } catch (error) {
        return noAnswer(error, timeoutMs);
      }
    },
    close: () => agent.close(),
  };
};
