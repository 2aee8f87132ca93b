import { Webhook } from 'standardwebhooks';
import type { PartnerResponse } from '../../src/destinations/define.ts';
import type { Event } from '../../src/event.ts';
import {
  aliasEvent,
  groupEvent,
  identifyEvent,
  pageEvent,
  screenEvent,
  trackEvent,
} from '../support/events.ts';
import type { DestinationFixture, Provenance, RequestExample } from './fixture.ts';

const specification: Provenance = {
  from: 'documented',
  reference:
    'Standard Webhooks, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md',
  date: '2026-11-22',
};

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const url = 'https://hooks.example/in?tenant=7';
/** 2026-03-04T10:02:00.900Z: the timestamp is in whole seconds. */
const attempt = { time: 1_772_618_520_900 };

/** Signed by the specification's own library. */
const signed = (id: string, event: Event): Record<string, string> => ({
  'content-type': 'application/json',
  'webhook-id': id,
  'webhook-timestamp': '1772618520',
  'webhook-signature': new Webhook(secret).sign(id, new Date(attempt.time), JSON.stringify(event)),
});

const example = (event: Event): RequestExample => ({
  title: `${event.type}, signed`,
  provenance: specification,
  events: [event],
  request: { method: 'POST', url, headers: signed(event.messageId, event), body: event },
});

const answer = (status: number, body = ''): PartnerResponse => ({
  status,
  headers: {},
  body,
});

export const fixture: DestinationFixture = {
  settings: { url, secret },
  secrets: ['url', 'secret'],
  attempt,
  limits: { provenance: specification, items: 1 },
  requests: [
    ...[trackEvent(), identifyEvent(), pageEvent(), screenEvent(), groupEvent(), aliasEvent()].map(
      example,
    ),
    {
      title: 'no secret, no signature',
      provenance: specification,
      events: [trackEvent({ messageId: 'order-17' })],
      settings: { url },
      request: {
        method: 'POST',
        url,
        headers: {
          'content-type': 'application/json',
          'webhook-id': 'order-17',
          'webhook-timestamp': '1772618520',
        },
        body: trackEvent({ messageId: 'order-17' }),
      },
    },
    {
      title: 'an id that no header may hold is hashed',
      provenance: specification,
      events: [trackEvent({ messageId: 'ordre\n17.é' })],
      request: {
        method: 'POST',
        url,
        headers: signed(
          'v2JDQm1oPj8b-kMznvJx8Px3T79k-8bCoZY4UK41r9E',
          trackEvent({ messageId: 'ordre\n17.é' }),
        ),
        body: trackEvent({ messageId: 'ordre\n17.é' }),
      },
    },
  ],
  unmappable: [],
  responses: [
    {
      title: 'any 2xx is success',
      provenance: specification,
      events: [trackEvent()],
      response: answer(204),
      verdicts: [{ kind: 'delivered' }],
    },
    {
      title: 'a redirect is not followed',
      provenance: specification,
      events: [trackEvent()],
      response: answer(302, 'elsewhere'),
      verdicts: [{ kind: 'rejected', reason: '302 elsewhere' }],
    },
    {
      title: '410: the endpoint is gone for good',
      provenance: specification,
      events: [trackEvent()],
      response: answer(410, 'gone'),
      verdicts: [{ kind: 'rejected', reason: '410 gone' }],
    },
    {
      title: '502 asks for fewer requests',
      provenance: specification,
      events: [trackEvent()],
      response: answer(502, 'busy'),
      verdicts: [{ kind: 'retry', reason: '502 busy' }],
    },
    {
      title: '429 with Retry-After names the pause',
      provenance: specification,
      events: [trackEvent()],
      response: { status: 429, headers: { 'retry-after': '7' }, body: 'slow down' },
      verdicts: [{ kind: 'retry', reason: '429 slow down', retryAfterMs: 7_000 }],
    },
  ],
  mistakes: [
    { settings: {}, path: 'url' },
    { settings: { url: 'hooks.example' }, path: 'url' },
    { settings: { url: 'ftp://hooks.example/' }, path: 'url' },
    { settings: { url: 'https://jane:secret@hooks.example/' }, path: 'url' },
    { settings: { url, secret: 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }, path: 'secret' },
    { settings: { url, secret: 'whsec_dG9vIHNob3J0' }, path: 'secret' },
  ],
  dedupeKeys: ({ headers }) => [headers['webhook-id']!],
};
