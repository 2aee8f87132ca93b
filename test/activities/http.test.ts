import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createHttp, type Http } from '../../src/activities/http.ts';
import { startPartner, type Partner } from '../support/partner.ts';

let partner: Partner;
const opened: Http[] = [];
const http = (options: { allowPrivate: boolean; endpoint?: string }): Http => {
  opened.push(createHttp(options));
  return opened.at(-1)!;
};
const post = (url: string) => ({
  method: 'POST' as const,
  url,
  headers: {},
  body: Buffer.from('{}'),
});

beforeAll(async () => {
  partner = await startPartner();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
  partner.received.length = 0;
  partner.script(() => ({ status: 200 }));
});
afterAll(() => partner.close());

test.each([
  'http://127.0.0.1:PORT/',
  'http://localhost:PORT/',
  'http://[::1]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://2130706433:PORT/',
  'http://0x7f.1:PORT/',
  'http://0.0.0.0:PORT/',
  'http://169.254.169.254/latest/meta-data/',
  'http://10.0.0.1/',
  'http://192.168.1.1/',
  'http://172.16.0.1/',
  'http://100.64.0.1/',
  'http://[fd00::1]/',
  'http://[fe80::1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[::127.0.0.1]:PORT/',
  'http://168.63.129.16/',
])('does not reach %s', async (url) => {
  const { port } = new URL(partner.url);
  const answer = await http({ allowPrivate: false }).send(post(url.replace('PORT', port)), 2_000);
  expect(answer).toMatchObject({ failure: 'forbidden' });
  expect(partner.received).toHaveLength(0);
});

test('reaches private addresses where that is allowed, pooling connections', async () => {
  const { send } = http({ allowPrivate: true });
  expect(await send(post(`${partner.url}/a`), 2_000)).toMatchObject({ status: 200 });
  expect(await send(post(`${partner.url}/b`), 2_000)).toMatchObject({ status: 200 });
  expect(partner.received.map(({ path }) => path)).toEqual(['/a', '/b']);
});

test('an endpoint replaces scheme, host and port, and keeps path and query', async () => {
  const { send } = http({ allowPrivate: true, endpoint: `${partner.url}/` });
  await send(post('https://partner.example:8443/v1/import?strict=1'), 2_000);
  expect(partner.received.map(({ path }) => path)).toEqual(['/v1/import?strict=1']);
});

test('says of each failure how far it came', async () => {
  const { send } = http({ allowPrivate: true });
  partner.script(() => 'drop');
  expect(await send(post(partner.url), 2_000)).toMatchObject({ failure: 'broken' });
  partner.script(() => 'hang');
  expect(await send(post(partner.url), 200)).toEqual({
    failure: 'silent',
    reason: 'no answer within 0.2 s',
  });
  const closed = createTcpServer();
  await new Promise<void>((listening) => closed.listen(0, '127.0.0.1', listening));
  const { port } = closed.address() as AddressInfo;
  await new Promise((done) => closed.close(done));
  expect(await send(post(`http://127.0.0.1:${port}/secret-path`), 2_000)).toEqual({
    failure: 'unreachable',
    reason: 'could not connect (ECONNREFUSED)',
  });
});

test('a body that stalls is an answer that did not come', async () => {
  const stalling = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
  });
  await new Promise<void>((listening) => stalling.listen(0, '127.0.0.1', listening));
  const { port } = stalling.address() as AddressInfo;
  const answer = await http({ allowPrivate: true }).send(post(`http://127.0.0.1:${port}/`), 300);
  expect(answer).toMatchObject({ failure: 'silent' });
  stalling.close();
});

test('reads no more of an answer than its bound, and still knows the status', async () => {
  partner.script(() => ({ status: 400, body: 'x'.repeat(5_000_000) }));
  const answer = await http({ allowPrivate: true }).send(post(partner.url), 5_000);
  expect(answer).toMatchObject({ status: 400 });
  expect((answer as { body: string }).body.length).toBeLessThanOrEqual(1024 * 1024);
});
