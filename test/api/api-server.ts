import { gzipSync } from 'node:zlib';
import { createApi, type ApiDeps } from '../../src/api/app.ts';
import type { Coalescer } from '../../src/api/coalescer.ts';
import { listen, type Listening, type ServerTimeouts } from '../../src/api/server.ts';
import type { Event } from '../../src/event.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';

/** When every test's requests are received. */
export const now = Date.parse('2026-11-05T12:00:00.000Z');

/** Stands where Temporal is behind: takes events at once, or as a test says. */
export interface ScriptedCoalescer extends Coalescer {
  /** What was made durable. */
  taken: { source: string; events: Event[] }[];
  /** Its events, of every source. */
  events: () => Event[];
  /** What becomes of the next submissions; at first each is durable at once. */
  fate: () => Promise<string>;
}

const scriptedCoalescer = (): ScriptedCoalescer => {
  const coalescer: ScriptedCoalescer = {
    taken: [],
    events: () => coalescer.taken.flatMap(({ events }) => events),
    fate: () => Promise.resolve(`batch-${coalescer.taken.length + 1}`),
    refusal: () => undefined,
    submit: async (source, accepted) => {
      const batch = await coalescer.fate();
      coalescer.taken.push({
        source,
        events: accepted.map(({ json }) => JSON.parse(json) as Event),
      });
      return batch;
    },
  };
  return coalescer;
};

const open: Listening[] = [];

/** For `afterEach`. */
export const closeServers = async (): Promise<void> => {
  await Promise.all(open.splice(0).map((server) => server.close()));
};

/** Serves the API on a port of its own, with two sources: `website` and `app`. */
export const serveApi = async (
  given: Partial<ApiDeps> & { timeouts?: Partial<ServerTimeouts>; host?: string } = {},
) => {
  const coalescer = scriptedCoalescer();
  const metrics = createMetrics();
  let ids = 0;
  const app = createApi({
    sources: [
      { name: 'website', writeKey: 'website-key' },
      { name: 'app', writeKey: 'app-key' },
    ],
    coalescer,
    health: () => Promise.resolve({ ok: true }),
    metrics,
    log: createLog('silent'),
    clock: () => now,
    newId: () => `given-${++ids}`,
    ...given,
  });
  const server = await listen(app, {
    host: given.host ?? '127.0.0.1',
    port: 0,
    timeouts: { grace: 20, ...given.timeouts },
  });
  open.push(server);
  return { ...server, coalescer, metrics };
};

export interface Answer {
  status: number;
  headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each test expects its own
  body: any;
}

export interface Sent {
  body: unknown;
  headers?: Record<string, string>;
  /** Compress the body, and say so. */
  gzip?: boolean;
}

export const basic = (user: string): string => `Basic ${Buffer.from(user).toString('base64')}`;

/** Sends a body, JSON unless it is text or bytes, and reads the answer as JSON. */
export const post = async (
  url: string,
  { body, headers = {}, gzip = false }: Sent,
): Promise<Answer> => {
  const plain =
    typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...(gzip && { 'Content-Encoding': 'gzip' }), ...headers },
    body: gzip ? gzipSync(plain) : plain,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
};
