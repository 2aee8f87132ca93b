import { expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { sign, webhook } from '../../src/destinations/webhook.ts';
import { trackEvent } from '../support/events.ts';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

test("signs the specification's own example as it does", () => {
  expect(sign(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}')).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});

test('a receiver with the library of Standard Webhooks takes the request, and no forged one', () => {
  const settings = { url: 'https://hooks.example/in', secret };
  const event = trackEvent({ properties: { note: 'Zürich ☃ "quoted"' } });
  const { headers, body } = webhook.request([event], settings, { time: Date.now() });
  const receiver = new Webhook(secret);
  expect(receiver.verify(body, headers)).toEqual(event);
  expect(() => receiver.verify(body.replace('Zürich', 'Genf'), headers)).toThrow();
  expect(() => receiver.verify(body, { ...headers, 'webhook-id': 'another' })).toThrow();
});
