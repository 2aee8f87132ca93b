import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../log.ts';
import { UserError } from '../user-error.ts';
import { createArrivals, type Arrival } from './arrivals.ts';
import { pageFor, pagePolicy } from './page.ts';
import { createPartners, partnerAt, partnerRequests } from './partners.ts';

const mostArrivals = 500;
const mostArrivalBytes = 8 * 1024 * 1024;
const mostBodyBytes = 16 * 1024 * 1024;
const mostSeen = 50_000;
/** How often watchers are told what is new, in ms. */
const tellEveryMs = 200;
/** Most arrivals that a watcher is told of at a time. */
const mostTold = 100;
/** A watcher that has so many bytes unread is let go; it comes again by itself. */
const mostUnreadBytes = 4 * 1024 * 1024;

export interface SandboxOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  log: Logger;
  /** `whsec_…`: webhooks have to be signed with it. Absent: signatures are not looked at. */
  webhookSecret?: string;
  /** The command that the empty page shows; by default one for the demo configuration. */
  firstEvent?: string;
  now?: () => number;
}

const demoFirstEvent = `curl -u demo-write-key: -H 'Content-Type: application/json' \\
  -d '{"userId":"ada","event":"First Event","properties":{"plan":"pro"}}' \\
  http://127.0.0.1:3000/v1/track`;

class TooLarge extends Error {}

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostBodyBytes) throw new TooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
};

const answer = (response: ServerResponse, status: number, body: unknown): void => {
  response
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
    .end(`${JSON.stringify(body)}\n`);
};

/** What a list shows; the content is asked for one by one. */
const summary = (arrival: Arrival): Arrival => ({ ...arrival, content: undefined });

/**
 * Plays the partners of the demo, and shows on a page what they received.
 * @throws UserError where the port is taken, or the secret is none
 */
export const createSandbox = async ({
  host,
  port,
  log,
  webhookSecret,
  firstEvent = demoFirstEvent,
  now = Date.now,
}: SandboxOptions): Promise<{ url: string; close: () => Promise<void> }> => {
  if (webhookSecret?.startsWith('whsec_') === false) {
    throw new UserError(
      "The partner sandbox's webhook secret must be whsec_ and base64, as the webhook's own.",
    );
  }
  const arrivals = createArrivals({ most: mostArrivals, mostBytes: mostArrivalBytes, now });
  const partners = createPartners({ webhookSecret, mostSeen, now });

  const watchers = new Set<ServerResponse>();
  let untold: Arrival[] = [];
  let timer: NodeJS.Timeout | undefined;
  const send = (watcher: ServerResponse, event: string, data: unknown): void => {
    if (watcher.writableLength > mostUnreadBytes) watcher.destroy();
    else watcher.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  const snapshot = (): unknown => ({
    counts: arrivals.counts(),
    arrivals: arrivals.list().map(summary),
  });
  arrivals.watch((added) => {
    if (added === undefined) {
      untold = [];
      for (const watcher of watchers) send(watcher, 'snapshot', snapshot());
      return;
    }
    if (watchers.size === 0) return;
    untold = [...untold, ...added].slice(-mostTold);
    timer ??= setTimeout(() => {
      timer = undefined;
      const news = { counts: arrivals.counts(), arrivals: untold.reverse().map(summary) };
      untold = [];
      for (const watcher of watchers) send(watcher, 'arrivals', news);
    }, tellEveryMs);
  });

  const watch = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    send(response, 'snapshot', snapshot());
    watchers.add(response);
    response.on('close', () => watchers.delete(response));
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '/', 'http://sandbox');
    const asked = `${request.method ?? ''} ${path}`;
    const [, id] = /^GET \/received\/(\d+)$/.exec(asked) ?? [];
    if (asked === 'GET /') {
      response
        .writeHead(200, {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': pagePolicy,
        })
        .end(pageFor(firstEvent));
    } else if (asked === 'GET /events/stream') {
      watch(response);
    } else if (asked === 'GET /received') {
      const list = arrivals.list(query.get('partner') ?? undefined);
      answer(response, 200, { counts: arrivals.counts(), arrivals: list });
    } else if (asked === 'DELETE /received') {
      arrivals.clear();
      response.writeHead(204).end();
    } else if (id !== undefined) {
      const found = arrivals.find(Number(id));
      if (found === undefined) answer(response, 404, { error: 'it is no longer kept' });
      else answer(response, 200, found);
    } else {
      const posted = path.replace(/\/$/, '');
      const name = request.method === 'POST' ? partnerAt(posted) : undefined;
      if (name === undefined) {
        request.resume();
        answer(response, 404, {
          error: `nobody here answers ${asked}`,
          partners: partnerRequests,
          received: 'GET /received',
          page: 'GET /',
        });
        return;
      }
      const body = await readBody(request);
      const call = { path: posted, query, headers: request.headers, body };
      const said = partners[name](call);
      arrivals.add(name, call.path, said.arrivals, body.length);
      if (said.body === undefined) response.writeHead(said.status).end();
      else answer(response, said.status, said.body);
    }
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (error instanceof TooLarge) {
        response.setHeader('connection', 'close');
        answer(response, 413, { error: `the body has more than ${mostBodyBytes} bytes` });
      } else if (!request.destroyed) {
        log.error({ err: error }, 'the partner sandbox failed');
        if (response.headersSent) response.destroy();
        else answer(response, 500, { error: 'the sandbox failed' });
      }
    });
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      failed(
        new UserError(
          `The partner sandbox cannot listen on ${host}:${port} (${code ?? 'unknown'}). ` +
            'Name another: sandbox.port in the configuration (SANDBOX_PORT with the demo), ' +
            'or --port of `distributary sandbox`.',
        ),
      );
    });
    server.listen(port, host, listening);
  });
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${actual}`,
    close: () =>
      new Promise((closed) => {
        clearTimeout(timer);
        server.close(() => closed());
        for (const watcher of watchers) watcher.end();
        server.closeAllConnections();
      }),
  };
};
