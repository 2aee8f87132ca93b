import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { connect, isTemporalGiven, temporalTarget } from '../../src/temporal/connect.ts';
import { UserError } from '../../src/user-error.ts';
import { testAddress } from '../support/temporal.ts';

const failure = async (attempt: () => unknown): Promise<string> => {
  try {
    await attempt();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message;
  }
  throw new Error('it did not fail');
};

describe('temporalTarget', () => {
  let file: string;
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'distributary-test-'));
    file = join(directory, 'temporal.toml');
    writeFileSync(file, '[profile.default]\n');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('is what the variables say', () => {
    const env = {
      TEMPORAL_CONFIG_FILE: file,
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_NAMESPACE: 'events',
      TEMPORAL_API_KEY: 'the-key',
      TEMPORAL_GRPC_META_X_TEAM: 'data',
    };
    expect(isTemporalGiven(env)).toBe(true);
    expect(temporalTarget(env)).toEqual({
      address: 'temporal.example:7233',
      namespace: 'events',
      apiKey: 'the-key',
      tls: true,
      metadata: { 'x-team': 'data' },
    });
  });

  test('is the local default where nothing is said', () => {
    const env = { TEMPORAL_CONFIG_FILE: file, TEMPORAL_ADDRESS: '' };
    expect(isTemporalGiven(env)).toBe(false);
    expect(temporalTarget(env)).toEqual({ address: 'localhost:7233', namespace: 'default' });
  });

  test('says what cannot be read, and no secret', async () => {
    writeFileSync(file, '[profile.default]\napi_key = "the-key" oops\n');
    const message = await failure(() => temporalTarget({ TEMPORAL_CONFIG_FILE: file }));
    expect(message).toMatch(/TEMPORAL_… and its configuration file, cannot be read: .*TOML/);
    expect(message).not.toContain('the-key');
  });

  test('names a certificate that is missing', async () => {
    const env = { TEMPORAL_CONFIG_FILE: file, TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/none.pem' };
    expect(await failure(() => temporalTarget(env))).toContain('/none.pem');
  });
});

describe('connect', () => {
  let server: Server | undefined;
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server?.close();
  });

  const listen = async (onSocket: (socket: Socket) => void): Promise<string> => {
    server = createServer((socket) => {
      sockets.push(socket);
      onSocket(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  test('answers with a connection that works', async () => {
    const connection = await connect({ address: testAddress(), namespace: 'default' });
    const { serverVersion } = await connection.workflowService.getSystemInfo({});
    expect(serverVersion).toMatch(/^1\./);
    await connection.close();
  });

  test('tries until its time is over, then says why, in words and without the key', async () => {
    let tries = 0;
    const address = await listen((socket) => {
      tries += 1;
      socket.destroy();
    });
    const apiKey = 'the-key';
    const message = await failure(() =>
      connect({ address, namespace: 'default', tls: false, apiKey }, 1_200),
    );
    expect(message).toMatch(`There is no Temporal at ${address} (`);
    expect(message).toContain('TEMPORAL_ADDRESS');
    expect(message).not.toContain('the-key');
    expect(message).not.toContain('tonic');
    expect(tries).toBeGreaterThan(1);
  });

  test('gives up on one that never answers', async () => {
    const address = await listen(() => undefined);
    expect(await failure(() => connect({ address, namespace: 'default' }, 600))).toMatch(
      'no answer within 0.6 s',
    );
  });

  test('says at once that an address is none', async () => {
    expect(await failure(() => connect({ address: 'not: one', namespace: 'default' }))).toMatch(
      'Invalid address',
    );
  });
});
