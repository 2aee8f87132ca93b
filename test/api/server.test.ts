import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createReadBody } from '../../src/api/body.ts';
import { listen } from '../../src/api/server.ts';
import { UserError } from '../../src/user-error.ts';
import { basic, closeServers, post, serveApi } from './api-server.ts';

afterEach(closeServers);

const authorized = { Authorization: basic('website-key:') };
const event = { event: 'Paid', userId: 'u1', messageId: 'a' };
const json = JSON.stringify(event);
const head = (length: number): string =>
  'POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: ' +
  `${authorized.Authorization}\r\nContent-Length: ${length}\r\n\r\n`;

/** A connection on which bytes are sent as they are, and all that comes back until it ends. */
const rawClient = async (port: number) => {
  const socket: Socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => {
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
  await once(socket, 'connect');
  return { socket, ended, send: (text: string | Uint8Array) => socket.write(text) };
};

/** A coalescer's fate that a test decides, and a promise of its having been asked. */
const decided = () => {
  let decide: (batch: string) => void = () => undefined;
  let asked: () => void = () => undefined;
  const submitted = new Promise<void>((resolve) => (asked = resolve));
  const fate = (): Promise<string> => {
    asked();
    return new Promise((resolve) => (decide = resolve));
  };
  return { fate, submitted, decide: (batch: string) => decide(batch) };
};

describe('listen', () => {
  test('a port that is taken: who is at the keyboard is told the remedy', async () => {
    const { port } = await serveApi();
    const second = listen(() => undefined, { host: '127.0.0.1', port });
    await expect(second).rejects.toThrow(UserError);
    await expect(second).rejects.toThrow(`Port ${port} of 127.0.0.1 is in use. Choose another`);
    await expect(second).rejects.toThrow('--port N');
  });

  test("a host that is not this machine's", async () => {
    const elsewhere = listen(() => undefined, { host: '203.0.113.1', port: 0 });
    await expect(elsewhere).rejects.toThrow(UserError);
    await expect(elsewhere).rejects.toThrow('--host H');
  });

  test('IPv6', async () => {
    const server = await listen((_request, response) => response.end('here'), {
      host: '::1',
      port: 0,
    });
    expect(server.url).toBe(`http://[::1]:${server.port}`);
    expect(await (await fetch(server.url)).text()).toBe('here');
    await server.close();
  });
});

describe('close', () => {
  test('waits for what is in flight, and answers it', async () => {
    const { url, port, coalescer, close } = await serveApi();
    const { fate, submitted, decide } = decided();
    coalescer.fate = fate;
    const answer = post(`${url}/v1/track`, { body: event, headers: authorized });
    await submitted;

    let closed = false;
    const closing = close().then(() => (closed = true));
    const refused = await rawClient(port).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
    expect(closed).toBe(false);
    decide('batch-1');
    expect(await answer).toMatchObject({ status: 200, body: { success: true } });
    expect((await answer).headers.get('Connection')).toBe('close');
    await closing;
  });

  test('ends connections that are idle, or were never used', async () => {
    const { port, close } = await serveApi();
    const unused = await rawClient(port);
    const begun = await rawClient(port);
    begun.send('POST /v1/track HT');
    const idle = await rawClient(port);
    idle.send('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(idle.socket, 'data');
    await close();
    expect(await unused.ended).toBe('');
    expect(await begun.ended).toBe('');
    expect(await idle.ended).toContain('HTTP/1.1 200');
  });

  test('does not wait for ever for a body', async () => {
    const { port, coalescer, close } = await serveApi({ timeouts: { request: 0, grace: 10 } });
    const slow = await rawClient(port);
    slow.send(head(json.length) + json.slice(0, 5));
    const answered = await rawClient(port);
    answered.send(head(1).replace('/v1/track', '/v1/m'));
    await once(answered.socket, 'data');
    await close();
    expect(await slow.ended).toBe('');
    expect(coalescer.taken).toEqual([]);
  });

  test('twice is once', async () => {
    const { close } = await serveApi();
    await Promise.all([close(), close()]);
  });
});

describe('slow and broken clients', () => {
  test.each([
    ['nothing is sent', '', { headers: 20, request: 0 }],
    ['half of the headers', 'POST /v1/track HTTP/1.1\r\nHost: x\r\n', { headers: 20, request: 0 }],
    ['half of the body', head(100) + '{"event":', { headers: 20, request: 40 }],
    [
      'half of a chunked body',
      `${head(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked')}5\r\n{"eve\r\n`,
      { headers: 20, request: 40 },
    ],
  ])('%s: ended by timeout, and nothing taken', async (_, sent, timeouts) => {
    const { port, coalescer } = await serveApi({ timeouts: { ...timeouts, check: 10 } });
    const client = await rawClient(port);
    client.send(sent);
    const answer = await client.ended;
    expect(answer).toMatch(/^HTTP\/1.1 408 .*{"code":"request_timeout","message":"[^"]+"}$/s);
    expect(coalescer.taken).toEqual([]);
  });

  test.each([
    ['no HTTP', 'hello?\r\n\r\n', 400, 'bad_request'],
    [
      'two lengths',
      head(3).replace('\r\n\r\n', '\r\nContent-Length: 4\r\n\r\n'),
      400,
      'bad_request',
    ],
    [
      'large headers',
      `GET /health HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
  ])('%s', async (_, sent, status, code) => {
    const { port } = await serveApi();
    const client = await rawClient(port);
    client.send(sent);
    const answer = await client.ended;
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toEqual({ code, message: expect.any(String) });
  });

  test.each([
    ['without a Host', head(json.length).replace(/Host: .*\r\n/, '')],
    ['that expects something odd', head(json.length).replace('\r\n', '\r\nExpect: flowers\r\n')],
  ])('a request %s is taken like any other', async (_, sent) => {
    const { port, coalescer } = await serveApi();
    const client = await rawClient(port);
    client.send(sent.replace('\r\n', '\r\nConnection: close\r\n') + json);
    expect(await client.ended).toMatch(/^HTTP\/1.1 200 .*{"success":true}$/s);
    expect(coalescer.taken).toHaveLength(1);
  });

  test('a client that leaves while it sends: nothing is taken, nothing held', async () => {
    const readBody = createReadBody({
      bytes: 1_000,
      heldBytes: 1_000,
      heldBytesOfSource: 1_000,
      droppedBytes: 50_000,
    });
    const { port, url, coalescer, metrics } = await serveApi({ readBody });
    for (let times = 0; times < 3; times++) {
      const client = await rawClient(port);
      client.send(head(900) + 'x'.repeat(890));
      client.socket.end();
      await client.ended;
    }
    expect(coalescer.taken).toEqual([]);
    const sent = { body: { ...event, properties: { x: 'x'.repeat(200) } }, headers: authorized };
    expect((await post(`${url}/v1/track`, sent)).status).toBe(200);
    const { body } = await metrics.expose();
    expect(body).toContain('_count{route="/v1/track",status="aborted"} 3');
    expect(body).not.toContain('status="500"');
  });

  test('a client that leaves before the answer: its event is taken', async () => {
    const { port, url, coalescer } = await serveApi();
    const { fate, submitted, decide } = decided();
    coalescer.fate = fate;
    const client = await rawClient(port);
    client.send(head(json.length) + json);
    await submitted;
    client.socket.destroy();
    decide('batch-1');
    coalescer.fate = () => Promise.reject(new Error('started a repeat'));
    const again = await post(`${url}/v1/track`, { body: event, headers: authorized });
    expect(again.status).toBe(200);
    expect(coalescer.events()).toHaveLength(1);
  });

  test('a body without end is cut off with an answer', async () => {
    const readBody = createReadBody({
      bytes: 1_000,
      heldBytes: 10_000,
      heldBytesOfSource: 10_000,
      droppedBytes: 50_000,
    });
    const { port } = await serveApi({ readBody });
    const client = await rawClient(port);
    client.send(head(1_000_000_000));
    client.send('x'.repeat(60_000));
    const answer = await client.ended;
    expect(answer).toContain('HTTP/1.1 400 ');
    expect(answer).toContain('"code":"request_too_large"');
  });

  test('too many at once: 503 for the one too many, and room again after it', async () => {
    const readBody = createReadBody({
      bytes: 1_000,
      heldBytes: 1_000,
      heldBytesOfSource: 1_000,
      droppedBytes: 50_000,
    });
    const { port, url } = await serveApi({ readBody });
    const slow = await rawClient(port);
    slow.send(head(900) + 'x'.repeat(890));
    const sent = { body: { ...event, properties: { x: 'x'.repeat(200) } }, headers: authorized };
    // The slow one's bytes may be read after this request's.
    let answer = await post(`${url}/v1/track`, sent);
    while (answer.status !== 503) answer = await post(`${url}/v1/track`, sent);
    expect(answer.body).toMatchObject({ code: 'overloaded' });
    expect(answer.headers.get('Retry-After')).toBe('1');

    slow.send('x'.repeat(10));
    await once(slow.socket, 'data');
    expect((await post(`${url}/v1/track`, sent)).status).toBe(200);
  });

  test('requests one behind the other on a connection, the first of them bad', async () => {
    const { port, coalescer } = await serveApi();
    const client = await rawClient(port);
    const zipped = gzipSync(json);
    client.send(head(2) + '[]');
    client.send(head(zipped.length).replace('\r\n\r\n', '\r\nContent-Encoding: gzip\r\n\r\n'));
    client.send(zipped);
    client.send('GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const statuses = [...(await client.ended).matchAll(/HTTP\/1\.1 (\d+)/g)].map(
      ([, code]) => code,
    );
    expect(statuses).toEqual(['400', '200', '200']);
    expect(coalescer.events()).toHaveLength(1);
  });
});
