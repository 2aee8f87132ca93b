import type { Request, RequestHandler } from 'express';
import { hasSession } from './codec-session.ts';
import { Refused } from './errors.ts';
import { isOperator } from './operator-token.ts';

export interface CodecAccess {
  /** Origins of the Web UI of our own, which is open to whoever is on this machine. */
  webUi: readonly string[];
  /** The operator's; absent: all programs here are let in, and nobody from elsewhere. */
  token: string | undefined;
  now: () => number;
}

const loopbackHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;
const loopbackAddress = /^(?:(?:::ffff:)?127(?:\.\d{1,3}){3}|::1)$/i;
const proxyHeaders = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
];

/**
 * Whether a request comes from this very machine, by its connection, and no proxy says otherwise; one that
 * says nothing, as nginx by its defaults, cannot be told from a program here. Its
 * `Host` must be this machine's too: a page of elsewhere may have its own name resolve to loopback.
 */
const isFromHere = ({ socket, headers }: Request): boolean =>
  loopbackAddress.test(socket.remoteAddress ?? '') &&
  loopbackHost.test(headers.host ?? '') &&
  proxyHeaders.every((name) => headers[name] === undefined);

/**
 * Who may have payloads decoded: our Web UI here; an operator; a session; and where there is no token, any
 * program here, which may be a proxy in silence.
 */
const isLetIn = (request: Request, { webUi, token, now }: CodecAccess): boolean => {
  const { origin, authorization, cookie } = request.headers;
  if (isOperator(authorization, token)) return true;
  const isOurs = origin === undefined ? token === undefined : webUi.includes(origin);
  if (isOurs && isFromHere(request)) return true;
  return origin !== undefined && token !== undefined && hasSession(cookie, origin, token, now());
};

/**
 * Lets in who may use the codec endpoint, and tells browsers so, in the name of the very origin. A
 * browser's question beforehand carries no credentials: where there is a token, it is told to go on.
 * @throws Refused to the others
 */
export const guardCodec =
  (access: CodecAccess): RequestHandler =>
  (request, response, next) => {
    const { origin } = request.headers;
    const isQuestion = request.method === 'OPTIONS';
    response.vary('Origin');
    if (!isLetIn(request, access) && !(isQuestion && access.token !== undefined)) {
      throw new Refused(
        'operators_only',
        access.token === undefined
          ? 'Only this machine, and the Web UI of `distributary start` on it, may ask: no operator.token is configured'
          : 'Send the operator token (Authorization: Bearer …), or open /codec/login in this browser first',
      );
    }
    if (origin !== undefined) {
      response.set({
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Credentials': 'true',
      });
    }
    if (!isQuestion) {
      next();
      return;
    }
    response
      .set({
        'Access-Control-Allow-Methods': 'POST',
        'Access-Control-Allow-Headers':
          request.get('Access-Control-Request-Headers') ?? 'content-type, x-namespace',
      })
      .status(204)
      .end();
  };
