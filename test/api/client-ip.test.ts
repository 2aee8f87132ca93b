import { afterEach, describe, expect, test } from '@jest/globals';
import express, { type Request } from 'express';
import { clientIp } from '../../src/api/client-ip.ts';
import { basic, closeServers, post, serveApi } from './api-server.ts';

afterEach(closeServers);

describe('a request comes from', () => {
  /** As express sees it, which reads the header. */
  const seen = (
    remoteAddress: string | undefined,
    forwarded: string | undefined,
    trust: unknown,
  ) => {
    const app = express();
    app.set('trust proxy', trust);
    const socket = { remoteAddress };
    const headers = { 'x-forwarded-for': forwarded };
    const request = Object.create(app.request, {
      app: { value: app },
      socket: { value: socket },
      connection: { value: socket },
      headers: { value: headers },
    }) as Request;
    return clientIp(request);
  };

  test.each([
    ['the connection', '203.0.113.9', undefined, false, '203.0.113.9'],
    ['IPv4 on a socket of IPv6', '::ffff:203.0.113.9', undefined, false, '203.0.113.9'],
    ['IPv6', '2001:db8::9', undefined, false, '2001:db8::9'],
    ['a connection that is gone', undefined, undefined, false, undefined],
    ['what nobody vouches for', '10.0.0.1', '203.0.113.9', false, '10.0.0.1'],
    ['what a proxy says', '10.0.0.1', '203.0.113.9', true, '203.0.113.9'],
    ['the first of many', '10.0.0.1', ' 203.0.113.9 , 10.0.0.7', true, '203.0.113.9'],
    ['with a port', '10.0.0.1', '203.0.113.9:4711', true, '203.0.113.9'],
    ['IPv6 with a port', '10.0.0.1', '[2001:db8::9]:4711', true, '2001:db8::9'],
    ['a proxy that hides it', '10.0.0.1', 'unknown', true, '10.0.0.1'],
    ['a proxy that says nothing', '10.0.0.1', undefined, true, '10.0.0.1'],
    ['nonsense', '10.0.0.1', '<script>', true, '10.0.0.1'],
    ['what one proxy has added', '10.0.0.1', '1.1.1.1, 203.0.113.9', 1, '203.0.113.9'],
    ['what two have', '10.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.7', 2, '203.0.113.9'],
    ['more than are there', '10.0.0.1', '203.0.113.9', 5, '203.0.113.9'],
  ])('%s', (_, remote, forwarded, trustProxy, expected) => {
    expect(seen(remote, forwarded, trustProxy)).toBe(expected);
  });
});

describe('the address of events', () => {
  const track = { type: 'track', event: 'Paid', userId: 'u1' };
  const asking = { ...track, context: { direct: true } };

  test.each([
    ['/v1/track', track, undefined],
    ['/v1/track', asking, '127.0.0.1'],
    ['/v1/batch', { batch: [track] }, undefined],
    ['/v1/batch', { batch: [track], context: { direct: true } }, '127.0.0.1'],
    ['/v1/t', track, '127.0.0.1'],
    ['/v1/T/', track, '127.0.0.1'],
    ['/v1/b', { batch: [track] }, '127.0.0.1'],
  ])('%s %j', async (path, body, ip) => {
    const { url, coalescer } = await serveApi();
    const headers = { Authorization: basic('website-key:'), 'X-Forwarded-For': '203.0.113.9' };
    await post(url + path, { body, headers });
    expect(coalescer.events().map(({ context }) => context['ip'])).toEqual([ip]);
  });

  test('behind a proxy that is trusted', async () => {
    const { url, coalescer } = await serveApi({ trustProxy: true });
    const headers = { Authorization: basic('website-key:'), 'X-Forwarded-For': '203.0.113.9' };
    await post(`${url}/v1/t`, { body: track, headers });
    expect(coalescer.events()).toMatchObject([{ context: { ip: '203.0.113.9' } }]);
  });
});
