import type { Request, Response, Router } from 'express';
import { eventTypes } from '../event.ts';
import type { Turn, Turns } from '../turns.ts';
import { likelyBytes, parseBody, type ReadBody } from './body.ts';
import { clientIp } from './client-ip.ts';
import { Overloaded, type Coalescer } from './coalescer.ts';
import type { Ingest, Ingested } from './ingest.ts';
import { addRoute } from './route.ts';
import { readPosted, type Call } from './posted.ts';
import { authenticate, basicWriteKey, bodyWriteKey, type WriteKeys } from './write-key.ts';

/** Every path that takes events. Browsers and mobile SDKs use the first letters alone. */
export const trackingPaths: readonly { call: Call; spellings: [string, ...string[]] }[] = [
  ...eventTypes.map((type) => ({
    call: type,
    spellings: [`/v1/${type}`, `/v1/${type.charAt(0)}`] as [string, string],
  })),
  { call: 'batch', spellings: ['/v1/batch', '/v1/b'] },
  { call: 'batch', spellings: ['/v1/import'] },
];

export interface TrackingDeps {
  writeKeys: WriteKeys;
  readBody: ReadBody;
  coalescer: Pick<Coalescer, 'refusal'>;
  ingest: Ingest;
  /** Those of requests: large ones take theirs one after the other. */
  turns: Turns;
}

/** A request of so many bytes is large: it takes the thread for some 10 ms. */
const largeBytes = 128 * 1024;
/** So long a large one waits for its turn, in ms; with the coalescer's patience and the longest start 9.5 s. */
const patienceMs = 1_500;

// What runs in users' own browsers and devices posts to the first letters, servers' SDKs do not.
const ofUsers = /^\/v1\/[a-z]\/?$/i;

/** Adds the routes that take events, and `/v1/m`, where analytics.js counts its own doings. */
export const addTrackingRoutes = (
  router: Router,
  { writeKeys, readBody, coalescer, ingest, turns }: TrackingDeps,
): void => {
  /** What the header alone tells: whose request it is, and whether it is worth reading. */
  const early = (request: Request): { headerSource?: string; refused?: Error | undefined } => {
    const headerKey = basicWriteKey(request.headers.authorization);
    if (headerKey === undefined) return {};
    try {
      const headerSource = authenticate(writeKeys, headerKey);
      const bytes = Number(request.headers['content-length'] ?? 0);
      return { headerSource, refused: coalescer.refusal(headerSource, bytes) };
    } catch (error) {
      return { refused: error as Error };
    }
  };

  /**
   * @param source where the header names it: the others, who are found only in the body, share turns
   * @throws Overloaded where it would have to wait for too long
   */
  const turnFor = async (bytes: number, source: string | undefined): Promise<Turn> => {
    if (bytes < largeBytes) return turns.small();
    const over = AbortSignal.timeout(patienceMs);
    const turn = await turns.large(source ?? '', over);
    if (!over.aborted) return turn;
    turn.end();
    const words = 'Large requests arrive faster than they can be read';
    throw new Overloaded(source === undefined ? 503 : 429, words, 1);
  };

  const take = async (call: Call, request: Request, response: Response): Promise<void> => {
    // Now, for once a connection has ended its address is gone.
    const client = { ip: clientIp(request), isUsers: ofUsers.test(request.path) };
    const { headerSource, refused } = early(request);
    const encoding = request.headers['content-encoding'];
    const use = async (body: Buffer): Promise<Ingested> => {
      const turn = await turnFor(likelyBytes(body, encoding), headerSource);
      try {
        const posted = readPosted(call, await parseBody(body, encoding));
        const { writeKey, byEvent } = bodyWriteKey(posted);
        const source = headerSource ?? authenticate(writeKeys, writeKey);
        const onlyKey = headerSource === undefined && byEvent ? writeKey : undefined;
        return await ingest(source, posted, client, turn, onlyKey);
      } finally {
        turn.end();
      }
    };
    const { batch, rejected } = await readBody(request, use, headerSource, refused);
    if (batch !== undefined) response.set('Distributary-Batch', batch);
    // Exactly 200 and an object: other successes make some SDKs send again.
    response.json({ success: true, ...(rejected.length > 0 && { rejected }) });
  };

  for (const { call, spellings } of trackingPaths) {
    addRoute(router, 'post', spellings, (request, response) => take(call, request, response));
  }
  addRoute(router, 'post', ['/v1/m'], (_request, response) => {
    response.json({ success: true });
  });
};
