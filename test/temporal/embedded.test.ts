import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Connection } from '@temporalio/client';
import { pino } from 'pino';
import { createLog } from '../../src/log.ts';
import { identityOf, runningProcesses } from '../../src/process-table.ts';
import {
  startEmbedded,
  type EmbeddedOptions,
  type EmbeddedTemporal,
} from '../../src/temporal/embedded.ts';
import { untilServing } from '../../src/temporal/health.ts';
import { findTemporalProgram } from '../../src/temporal/program.ts';
import { eventually } from '../support/eventually.ts';
import { failure } from '../support/failure.ts';
import { uniqueName } from '../support/temporal.ts';

const log = createLog('silent');
let program: string;
beforeAll(async () => {
  program = (await findTemporalProgram({ env: process.env, log })).path;
});

let dataDir: string;
const servers: EmbeddedTemporal[] = [];
const children: ChildProcess[] = [];
beforeEach(() => {
  dataDir = realpathSync(mkdtempSync(join(tmpdir(), 'distributary-test-')));
});

const serversOn = (directory: string): number[] =>
  runningProcesses()
    .filter(({ command }) => command.includes(` server start-dev `) && command.includes(directory))
    .map(({ pid }) => pid);

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) {
    const stopped = server.stop();
    if (identityOf(server.pid()) !== undefined) process.kill(server.pid(), 'SIGKILL'); // for speed
    await stopped;
  }
  const left = serversOn(dataDir);
  for (const pid of left) process.kill(pid, 'SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
  expect(left).toEqual([]);
});

const start = async (options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedTemporal> => {
  const server = await startEmbedded({
    program,
    dataDir,
    ui: false,
    preferredPort: 0,
    env: process.env,
    log,
    ...options,
  });
  servers.push(server);
  return server;
};

const withWorkflows = async <T>(
  { address }: { address: string },
  use: (service: Connection['workflowService']) => Promise<T>,
): Promise<T> => {
  const connection = await Connection.connect({ address });
  try {
    return await use(connection.workflowService);
  } finally {
    await connection.close();
  }
};

/** Starts a workflow that nobody works on; answers its id. */
const startWorkflow = (server: { address: string }): Promise<string> =>
  withWorkflows(server, async (service) => {
    const workflowId = uniqueName();
    await service.startWorkflowExecution({
      namespace: 'default',
      workflowId,
      workflowType: { name: 'none' },
      taskQueue: { name: uniqueName() },
      requestId: workflowId,
    });
    return workflowId;
  });

const hasWorkflow = (server: { address: string }, workflowId: string): Promise<boolean> =>
  withWorkflows(server, async (service) => {
    const { workflowExecutionInfo } = await service.describeWorkflowExecution({
      namespace: 'default',
      execution: { workflowId },
    });
    return workflowExecutionInfo?.execution?.workflowId === workflowId;
  });

/** Another process that runs an embedded server on the data directory, in a process group of its own. */
const startElsewhere = async () => {
  const script = resolve(import.meta.dirname, '../support/embedded-child.mjs');
  const child = spawn(process.execPath, [script, program, dataDir], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines: string[] = [];
  child.stdout.on('data', (text: Buffer) => lines.push(...text.toString().trim().split('\n')));
  await eventually(() => expect(lines).not.toEqual([]));
  return { child, lines, ...(JSON.parse(lines[0]!) as { address: string; pid: number }) };
};

/** A program that does something first, in shell, and then is the real one. */
const wrapper = (script: string): string => {
  const file = join(dataDir, 'wrapper');
  writeFileSync(file, `#!/bin/sh\n${script}\nexec ${program} "$@"\n`, { mode: 0o755 });
  return file;
};

const note = () => JSON.parse(readFileSync(join(dataDir, 'temporal.json'), 'utf8')) as unknown;

describe('a server', () => {
  test('keeps what it holds over a stop, a start and its own death', async () => {
    const first = await start({ ui: true, preferredUiPort: 0 });
    const port = Number(first.address.split(':')[1]);
    const uiPort = Number(first.uiUrl!.split(':')[2]);
    expect(note()).toEqual({ pid: first.pid(), port, uiPort });
    expect((await fetch(first.uiUrl!)).status).toBe(200);
    const workflow = await startWorkflow(first);
    await first.stop();
    expect(identityOf(first.pid())).toBe(undefined);
    expect(readdirSync(dataDir).sort()).toEqual(
      expect.arrayContaining(['temporal.db', 'temporal.log']),
    );
    expect(existsSync(join(dataDir, 'temporal.json'))).toBe(false);

    const second = await start();
    expect(second).toMatchObject({ adopted: false });
    expect(await hasWorkflow(second, workflow)).toBe(true);

    const died = second.pid();
    process.kill(died, 'SIGKILL');
    await eventually(async () => {
      expect(second.pid()).not.toBe(died);
      expect(await hasWorkflow(second, workflow)).toBe(true);
    });
  });

  test('outlives a kill of its process, and is taken over, also without a note', async () => {
    const { child, address, pid } = await startElsewhere();
    const workflow = await startWorkflow({ address });
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(join(dataDir, 'temporal.json'));
    const server = await start();
    expect({ ...server, pid: server.pid() }).toMatchObject({ adopted: true, address, pid });
    expect(await hasWorkflow(server, workflow)).toBe(true);
    await server.stop();
    expect(identityOf(pid)).toBe(undefined);
  });

  test('is replaced where it was left with other settings, on its ports', async () => {
    const { child, address, pid } = await startElsewhere();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const server = await start({ dynamicConfig: { 'frontend.rps': 9_999 } });
    expect(server).toMatchObject({ adopted: false, address });
    expect(identityOf(pid)).toBe(undefined);
    expect(serversOn(dataDir)).toEqual([server.pid()]);
  });

  test('is not reached by a Ctrl-C of our process group', async () => {
    const { child, lines, address, pid } = await startElsewhere();
    process.kill(-child.pid!, 'SIGINT');
    await eventually(() => expect(lines).toContain('SIGINT'));
    expect(await untilServing(address, AbortSignal.timeout(5_000))).toBe(true);
    const group = execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' });
    expect(Number(group)).toBe(pid);
    child.kill('SIGTERM');
    await once(child, 'close');
    expect(lines.at(-1)).toBe('stopped');
    expect(identityOf(pid)).toBe(undefined);
  });

  test('in memory leaves nothing', async () => {
    const directories = () =>
      readdirSync(tmpdir()).filter((name) => name.startsWith('distributary-temporal-'));
    const before = directories();
    const server = await startEmbedded({
      program,
      ui: false,
      preferredPort: 0,
      env: process.env,
      log,
    });
    servers.push(server);
    const made = directories().filter((name) => !before.includes(name)); // ours, and another run's
    await server.stop();
    expect(identityOf(server.pid())).toBe(undefined);
    expect(directories()).not.toEqual(expect.arrayContaining(made));
  });

  test('learns none of our secrets', async () => {
    const seen = join(dataDir, 'seen');
    const server = await start({
      program: wrapper(`env > ${seen}`),
      env: { ...process.env, WRITE_KEY: 'the-key' },
    });
    expect(readFileSync(seen, 'utf8')).toMatch(/^PATH=/m);
    expect(readFileSync(seen, 'utf8')).not.toContain('the-key');
    expect(server.pid()).toBe(serversOn(dataDir)[0]);
  });
});

describe('ports', () => {
  test('that are taken are passed over', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    try {
      const server = await start({ preferredPort: port });
      expect(server.address).not.toBe(`127.0.0.1:${port}`);
    } finally {
      other.close();
    }
  });

  test('that are taken in the last moment are replaced', async () => {
    // What the server says where its port is taken, the first time.
    const mark = join(dataDir, 'mark');
    const server = await start({
      program: wrapper(
        `[ -e ${mark} ] || { touch ${mark}; echo "can't set frontend port 7233: address already in use"; exit 1; }`,
      ),
    });
    expect(existsSync(mark)).toBe(true);
    expect(serversOn(dataDir)).toEqual([server.pid()]);
  });
});

describe('a database', () => {
  test('that a first start left unfinished is moved aside', async () => {
    writeFileSync(join(dataDir, 'temporal.db'), '');
    writeFileSync(join(dataDir, 'temporal.db.unfinished'), '');
    await start();
    const names = readdirSync(dataDir).filter((name) => name.includes('unfinished'));
    expect(names).toEqual([expect.stringMatching(/^temporal\.db\.unfinished-\d+$/)]);
  });

  test.each([
    ['removed', () => rmSync(join(dataDir, 'temporal.db'))],
    ['removed with all beside it', () => rmSync(dataDir, { recursive: true })],
    [
      'replaced',
      () => {
        writeFileSync(join(dataDir, 'other'), '');
        renameSync(join(dataDir, 'other'), join(dataDir, 'temporal.db'));
      },
    ],
  ])('that is %s under a running server is an ailment, told once in the log', async (_, harm) => {
    const lines: string[] = [];
    const server = await start({ log: pino({}, { write: (line) => lines.push(line) }) });
    expect(server.ailments()).toEqual([]);
    harm();
    expect(server.ailments()).toEqual([expect.stringContaining('removed or replaced')]);
    expect(server.ailments()).toHaveLength(1);
    expect(lines.filter((line) => line.includes('removed or replaced'))).toHaveLength(1);
  });

  test('that is damaged is named', async () => {
    const file = join(dataDir, 'temporal.db');
    writeFileSync(file, 'this is no database, whatever it is');
    const message = await failure(start());
    expect(message).toContain(`Temporal cannot read its database ${file}`);
    expect(message).toContain('file is not a database');
    expect(readFileSync(file, 'utf8')).toBe('this is no database, whatever it is');
  });
});

test('a program that fails is quoted, with the place of its log', async () => {
  appendFileSync(join(dataDir, 'temporal.log'), 'of an earlier run\n');
  const message = await failure(start({ program: wrapper('echo "no such luck"; exit 7') }));
  expect(message).toContain('did not start (exit code 7)');
  expect(message).toContain(`${join(dataDir, 'temporal.log')}:\n  no such luck`);
});

test('a program that is none is named', async () => {
  mkdirSync(join(dataDir, 'directory'));
  expect(await failure(start({ program: join(dataDir, 'directory') }))).toMatch(/EACCES/);
});
