import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Event } from '../event.ts';
import { defineDestination, secret } from './define.ts';
import { post } from './exchange.ts';
import { digest } from './ids.ts';

// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const secretPattern = /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/;

/** The receiver's idempotency key: the messageId where it can be signed and sent as it is. */
const webhookId = (messageId: string): string =>
  /^[\w-]{1,100}$/.test(messageId) ? messageId : digest(messageId, 'base64url');

/**
 * A signature of Standard Webhooks, version 1.
 * @param key `whsec_` and the key in base64
 * @param timestamp of the attempt, in s since the epoch
 */
export const sign = (key: string, id: string, timestamp: string, body: string): string => {
  const hmac = createHmac('sha256', Buffer.from(key.slice('whsec_'.length), 'base64'));
  return `v1,${hmac.update(`${id}.${timestamp}.${body}`).digest('base64')}`;
};

const send = (event: Event): Event => event;

/** Any HTTP endpoint: one POST per event, signed by Standard Webhooks where a secret is set. */
export const webhook = defineDestination({
  type: 'webhook',
  name: 'Webhooks',
  docs: 'https://www.standardwebhooks.com/',
  settings: z.strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'must be an http or https address', abort: true })
      .refine((text) => {
        const { username, password } = new URL(text);
        return username + password === '';
      }, 'must hold no user and password')
      .meta({ secret: true }), // of many receivers the address is all that lets one in
    secret: secret(
      secretPattern,
      'must be whsec_ followed by the base64 of 24 to 64 bytes',
    ).optional(),
  }),
  events: { track: send, identify: send, page: send, screen: send, group: send, alias: send },
  request: ([event], settings, { time }) => {
    const { messageId } = event!;
    const timestamp = String(Math.floor(time / 1000));
    const headers = { 'webhook-id': webhookId(messageId), 'webhook-timestamp': timestamp };
    const request = post(settings.url, event, headers);
    if (settings.secret === undefined) return request;
    const signature = sign(settings.secret, headers['webhook-id'], timestamp, request.body);
    return { ...request, headers: { ...request.headers, 'webhook-signature': signature } };
  },
});
