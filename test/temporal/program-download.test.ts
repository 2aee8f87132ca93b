import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLog } from '../../src/log.ts';
import { findTemporalProgram } from '../../src/temporal/program.ts';
import { downloadName, downloadProgram } from '../../src/temporal/program-download.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'distributary-test-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('finds what the SDK has downloaded by the name that the SDK gives it', async () => {
  // The SDK takes a file of that name for a download of its own, and downloads nothing.
  const file = join(directory, downloadName);
  const { path } = await findTemporalProgram({ env: process.env, log: createLog('silent') });
  writeFileSync(file, `#!/bin/sh\nexec ${path} "$@"\n`, { mode: 0o755 });
  const env = { ...process.env, ALL_PROXY: 'http://127.0.0.1:1' };
  expect(await downloadProgram(directory, env)).toBe(file);
});

test('gives up on a network that swallows what it is sent', async () => {
  const sockets: Socket[] = [];
  const proxy = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  try {
    const env = { PATH: process.env['PATH'], ALL_PROXY: `http://127.0.0.1:${port}` };
    await expect(downloadProgram(directory, env, 2_500)).rejects.toThrow('nothing came for 2.5 s');
    expect(sockets).not.toEqual([]);
  } finally {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  }
});
