import { createHash, createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Event } from '../event.ts';
import { defineDestination } from './define.ts';

// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const secretPattern = /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/;

/** The receiver's idempotency key: the messageId where it can be signed and sent as it is. */
const webhookId = (messageId: string): string =>
  /^[\w-]{1,100}$/.test(messageId)
    ? messageId
    : createHash('sha256').update(messageId).digest('base64url');

/**
 * A signature of Standard Webhooks, version 1.
 * @param secret `whsec_` and the key in base64
 * @param timestamp of the attempt, in s since the epoch
 */
export const sign = (secret: string, id: string, timestamp: string, body: string): string => {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return `v1,${digest}`;
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
      }, 'must hold no user and password'),
    secret: z
      .string()
      .regex(secretPattern, 'must be whsec_ followed by the base64 of 24 to 64 bytes')
      .meta({ secret: true })
      .optional(),
  }),
  events: { track: send, identify: send, page: send, screen: send, group: send, alias: send },
  request: ([event], { url, secret }, { time }) => {
    const id = webhookId(event!.messageId);
    const timestamp = String(Math.floor(time / 1000));
    const body = JSON.stringify(event);
    return {
      method: 'POST',
      url,
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        ...(secret !== undefined && { 'webhook-signature': sign(secret, id, timestamp, body) }),
      },
      body,
    };
  },
});
