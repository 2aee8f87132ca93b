import { beforeEach, expect, test } from '@jest/globals';
import { createLog } from '../../src/log.ts';
import { keepRunning } from '../../src/temporal/keep-running.ts';
import { eventually } from '../support/eventually.ts';

/** A server that ends when it is told to. */
const createServer = (pid: number) => {
  let end: (how: string) => void = () => undefined;
  const ended = new Promise<string>((resolve) => (end = resolve));
  return { pid, identity: String(pid), ports: { port: 1 }, ended, end };
};

const log = createLog('silent');
let stopping: AbortController;
beforeEach(() => {
  stopping = new AbortController();
});

test('restarts a server each time that it ends', async () => {
  const servers = [1, 2, 3].map(createServer);
  let current = 0;
  const running = keepRunning(
    servers[0]!,
    () => Promise.resolve(servers[++current]!),
    stopping.signal,
    log,
    1,
  );
  servers[0]!.end('signal SIGKILL');
  await eventually(() => expect(current).toBe(1));
  servers[1]!.end('exit code 1');
  await eventually(() => expect(current).toBe(2));
  stopping.abort();
  servers[2]!.end('signal SIGTERM');
  expect(await running).toBe(undefined);
  expect(current).toBe(2);
});

test('gives up in the end, and says why', async () => {
  const server = createServer(1);
  let tries = 0;
  server.end('signal SIGKILL');
  const error = await keepRunning(
    server,
    () => {
      tries += 1;
      return Promise.reject(new Error('no room on the disk'));
    },
    stopping.signal,
    log,
    1,
  );
  expect(tries).toBe(5);
  expect(error?.message).toMatch('does not stay up: no room on the disk');
});

test('does not restart what is stopped while it waits to', async () => {
  const server = createServer(1);
  let tries = 0;
  const running = keepRunning(
    server,
    () => {
      tries += 1;
      return Promise.reject(new Error('not yet'));
    },
    stopping.signal,
    log,
    60_000,
  );
  server.end('signal SIGKILL');
  await eventually(() => expect(tries).toBe(1));
  stopping.abort();
  expect(await running).toBe(undefined);
  expect(tries).toBe(1);
});
