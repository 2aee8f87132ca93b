import type { RequestHandler } from 'express';

/** How long a browser may go without asking again, in seconds; Chromium's own most. */
const preflightSeconds = 7_200;

/**
 * Lets any page post events, as Segment does: write keys are public, and nothing here goes by
 * cookies. analytics.js sends Authorization, so that a browser asks before every path; and it reads
 * Retry-After only if that is exposed. The origin is echoed, for a page may be set up to send
 * credentials, and the asked-for headers are, for users may add their own.
 */
export const cors: RequestHandler = (request, response, next) => {
  const { origin } = request.headers;
  response.vary('Origin');
  response.set({
    'Access-Control-Allow-Origin': origin ?? '*',
    ...(origin !== undefined && { 'Access-Control-Allow-Credentials': 'true' }),
    'Access-Control-Expose-Headers': 'Retry-After, X-RateLimit-Reset, Distributary-Batch',
  });
  if (request.method !== 'OPTIONS') {
    next();
    return;
  }
  response
    .set({
      'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
      'Access-Control-Allow-Headers':
        request.get('Access-Control-Request-Headers') ??
        'authorization, content-type, content-encoding, x-retry-count',
      'Access-Control-Max-Age': String(preflightSeconds),
    })
    .status(204)
    .end();
};
