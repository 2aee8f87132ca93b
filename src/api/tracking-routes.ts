import type { Request, Response, Router } from 'express';
import { eventTypes } from '../event.ts';
import { parseBody, type ReadBody } from './body.ts';
import type { Ingest } from './ingest.ts';
import { addRoute } from './route.ts';
import { readPosted, type Call } from './posted.ts';
import { authenticate, basicWriteKey, bodyWriteKey, type WriteKeys } from './write-key.ts';

/** Every path that takes events. Browsers and mobile SDKs use the first letters alone. */
const paths: readonly { call: Call; spellings: [string, ...string[]] }[] = [
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
  ingest: Ingest;
}

/** Adds the routes that take events, and `/v1/m`, where analytics.js counts its own doings. */
export const addTrackingRoutes = (
  router: Router,
  { writeKeys, readBody, ingest }: TrackingDeps,
): void => {
  const take = async (call: Call, request: Request, response: Response): Promise<void> => {
    const raw = await readBody(request);
    // A key in the header is looked at first: who has none that is right costs no parsing.
    const headerKey = basicWriteKey(request.headers.authorization);
    const headerSource = headerKey === undefined ? undefined : authenticate(writeKeys, headerKey);
    const posted = readPosted(call, await parseBody(raw, request.headers['content-encoding']));
    const { writeKey, byEvent } = bodyWriteKey(posted);
    const source = headerSource ?? authenticate(writeKeys, writeKey);
    const onlyKey = headerSource === undefined && byEvent ? writeKey : undefined;

    const { batch, rejected } = await ingest(source, posted, onlyKey);
    if (batch !== undefined) response.set('Distributary-Batch', batch);
    // Exactly 200 and an object: other successes make some SDKs send again.
    response.json({ success: true, ...(rejected.length > 0 && { rejected }) });
  };

  for (const { call, spellings } of paths) {
    addRoute(router, 'post', spellings, (request, response) => take(call, request, response));
  }
  addRoute(router, 'post', ['/v1/m'], (_request, response) => {
    response.json({ success: true });
  });
};
