import type { Request, Response, Router } from 'express';
import { eventTypes } from '../event.ts';
import { parseBody, type ReadBody } from './body.ts';
import { clientIp } from './client-ip.ts';
import type { Coalescer } from './coalescer.ts';
import type { Ingest } from './ingest.ts';
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
}

// What runs in users' own browsers and devices posts to the first letters, servers' SDKs do not.
const ofUsers = /^\/v1\/[a-z]\/?$/i;

/** Adds the routes that take events, and `/v1/m`, where analytics.js counts its own doings. */
export const addTrackingRoutes = (
  router: Router,
  { writeKeys, readBody, coalescer, ingest }: TrackingDeps,
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

  const take = async (call: Call, request: Request, response: Response): Promise<void> => {
    // Now, for once a connection has ended its address is gone.
    const client = { ip: clientIp(request), isUsers: ofUsers.test(request.path) };
    const { headerSource, refused } = early(request);
    const raw = await readBody(request, headerSource, refused);
    const posted = readPosted(call, await parseBody(raw, request.headers['content-encoding']));
    const { writeKey, byEvent } = bodyWriteKey(posted);
    const source = headerSource ?? authenticate(writeKeys, writeKey);
    const onlyKey = headerSource === undefined && byEvent ? writeKey : undefined;

    const { batch, rejected } = await ingest(source, posted, client, onlyKey);
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
