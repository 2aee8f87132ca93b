import type { Request, Router } from 'express';
import { Refused } from './errors.ts';
import { addRoute } from './route.ts';
import type { WriteKeys } from './write-key.ts';

/**
 * `https` where the client, or a proxy in front of us, spoke TLS. The header is believed from
 * anybody: whoever makes it up misleads nobody but himself, for no cache keeps the answer.
 */
export const protocolOf = (request: Request): 'http' | 'https' =>
  request.secure || /^https\b/i.test(request.get('X-Forwarded-Proto') ?? '') ? 'https' : 'http';

/**
 * What analytics.js and the mobile SDKs ask for when they start: the least that works, as observed.
 * `integrations` has one key, for each further one would be loaded from Segment's CDN; `apiHost` and
 * `protocol` are those of the request, for without them events would go to Segment, by https; and
 * `metrics.sampleRate` 0 spares us /v1/m.
 * A key that is no source's gets 404, upon which `AnalyticsBrowser.load` throws: a wrong key is
 * noticed at the first page view, and not when the events turn out to be missing.
 */
export const addSettingsRoute = (router: Router, writeKeys: WriteKeys): void => {
  addRoute(router, 'get', ['/v1/projects/:writeKey/settings'], (request, response) => {
    const writeKey = String(request.params['writeKey']);
    if (writeKeys.sourceOf(writeKey) === undefined) throw new Refused('unknown_source');
    response.set('Cache-Control', 'private').json({
      integrations: {
        'Segment.io': {
          apiKey: writeKey,
          apiHost: `${request.headers.host ?? 'localhost'}/v1`,
          protocol: protocolOf(request),
          versionSettings: { version: '4.4.7', componentTypes: ['browser'] },
        },
      },
      plan: {
        track: { __default: { enabled: true, integrations: {} } },
        identify: { __default: { enabled: true } },
        group: { __default: { enabled: true } },
      },
      metrics: { sampleRate: 0 },
    });
  });
};
