import { once } from 'node:events';
import {
  createServer,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { UserError } from '../user-error.ts';
import { apiErrors, type ErrorCode } from './errors.ts';

/** How long the server waits for clients, in ms. */
export interface ServerTimeouts {
  /** For a request's headers, from its connection or the end of the one before. */
  headers: number;
  /** For a whole request. */
  request: number;
  /** For the next request of a connection; longer than load balancers wait (60 s). */
  keepAlive: number;
  /** How often the above are looked after. */
  check: number;
  /** Once closing: for requests that are still being sent. */
  grace: number;
}

const serverTimeouts: ServerTimeouts = {
  headers: 10_000,
  request: 30_000,
  keepAlive: 65_000,
  check: 1_000,
  grace: 3_000,
};

export interface ListenOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  timeouts?: Partial<ServerTimeouts>;
}

export interface Listening {
  port: number;
  url: string;
  /**
   * Takes no more connections and resolves once every request in flight is answered. Those that
   * are not sent in full within the grace are cut off: nothing of them was taken.
   */
  close: () => Promise<void>;
}

const cannotListen = (error: NodeJS.ErrnoException, { host, port }: ListenOptions): Error => {
  switch (error.code) {
    case 'EADDRINUSE':
      return new UserError(`Port ${port} of ${host} is in use. Choose another with --port N.`);
    case 'EACCES':
      return new UserError(
        `Port ${port} of ${host} is not open to this user. Choose one above 1023 with --port N.`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new UserError(
        `${host} is no address of this machine. Choose another with --host H, such as 127.0.0.1.`,
      );
    default:
      return error;
  }
};

const parserErrors: Partial<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** Answers what never became a request, in the form of every other answer. */
const answerUnread = (error: NodeJS.ErrnoException, socket: Duplex): void => {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code = parserErrors[error.code ?? ''] ?? 'bad_request';
  const { status, message } = apiErrors[code];
  const body = JSON.stringify({ code, message });
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
};

/** Knows which connections wait for an answer, so that closing waits for no other. */
const trackRequests = (server: Server, grace: number) => {
  const sockets = new Set<Socket>();
  const inFlight = new Set<ServerResponse>();

  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.prependListener('request', (_request, response) => {
    inFlight.add(response);
    response.once('close', () => inFlight.delete(response));
  });

  const endAllBut = (awaited: readonly ServerResponse[]): void => {
    const busy = new Set(awaited.map(({ req }) => req.socket));
    for (const socket of sockets) if (!busy.has(socket)) socket.destroy();
  };

  return async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const response of inFlight) {
      if (!response.headersSent) response.setHeader('Connection', 'close');
    }
    endAllBut([...inFlight]);
    const timer = setTimeout(() => {
      endAllBut([...inFlight].filter(({ req }) => req.complete));
    }, grace);
    await closed;
    clearTimeout(timer);
  };
};

/**
 * Listens for HTTP. Half-open and slow requests are ended by the timeouts.
 * @throws UserError where the port or host cannot be had
 */
export const listen = async (app: RequestListener, options: ListenOptions): Promise<Listening> => {
  const timeouts = { ...serverTimeouts, ...options.timeouts };
  const server = createServer(
    {
      headersTimeout: timeouts.headers,
      requestTimeout: timeouts.request,
      keepAliveTimeout: timeouts.keepAlive,
      connectionsCheckingInterval: timeouts.check,
      requireHostHeader: false, // Node's own answer would say nothing that clients can read
    } satisfies ServerOptions,
    app,
  );
  server.on('clientError', answerUnread);
  // Whatever a client expects besides, it gets an answer that it can read.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  const drain = trackRequests(server, timeouts.grace);
  try {
    await once(server.listen(options.port, options.host), 'listening');
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException, options);
  }
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  let closed: Promise<void> | undefined;
  return { port, url: `http://${host}:${port}`, close: () => (closed ??= drain()) };
};
