import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLog } from '../../src/log.ts';
import { findTemporalProgram } from '../../src/temporal/program.ts';
import { downloadName } from '../../src/temporal/program-download.ts';
import { failure } from '../support/failure.ts';

const good = 'echo "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'distributary-test-'));
});
afterEach(() => rmSync(base, { recursive: true }));

/** Writes a shell script; answers its path. */
const program = (path: string, script: string): string => {
  const file = join(base, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
};

const find = (env: NodeJS.ProcessEnv = {}) =>
  findTemporalProgram({
    env: {
      PATH: [join(base, 'bin1'), join(base, 'bin2')].join(':'),
      ALL_PROXY: 'http://127.0.0.1:1', // where nothing answers: no test downloads anything
      ...env,
    },
    log: createLog('silent'),
    cacheDir: join(base, 'cache'),
    sdkDir: join(base, 'sdk'),
  });

/** A `go` that notes each time that it is asked. */
const fakeGo = (script: string) => program('bin2/go', `echo "$*" >> ${base}/asked\n${script}\n`);
/** What a `go` does that succeeds. */
const install = () => `/bin/cp ${program('made', good)} "$GOBIN/temporal"`;
const timesAsked = () => readFileSync(join(base, 'asked'), 'utf8').trim().split('\n').length;

test('takes TEMPORAL_CLI_PATH before all others', async () => {
  program('bin1/temporal', good);
  const named = program('own/temporal', good);
  expect(await find({ TEMPORAL_CLI_PATH: named })).toEqual({
    path: named,
    found: 'TEMPORAL_CLI_PATH',
  });
});

test.each([
  ['does not exist', undefined],
  ['does not run', 'exit 3'],
  ['is not the Temporal CLI', 'echo hello'],
  ['is too old (its server is 1.24', 'echo "temporal version 1.0.0 (Server 1.24.2, UI 2.28.0)"'],
])('refuses a TEMPORAL_CLI_PATH that %s, at once', async (reason, script) => {
  program('bin1/temporal', good);
  const named = script === undefined ? join(base, 'none') : program('own/temporal', script);
  const message = await failure(find({ TEMPORAL_CLI_PATH: named }));
  expect(message).toContain(`TEMPORAL_CLI_PATH names ${named}, which ${reason}`);
});

test('takes the first usable one on PATH, before the cache', async () => {
  program('bin1/temporal', 'echo "temporal version 0.13.2 (server 1.24.2) (ui 2.30.0)"');
  const second = program('bin2/temporal', good);
  program('cache/temporal-1.5.1', good);
  expect(await find()).toEqual({ path: second, found: 'PATH' });
});

test('takes one from the cache, before what the SDK keeps', async () => {
  program('cache/temporal-1.5.1', 'exit 1'); // broken, which is no reason to stop
  const cached = program(`cache/${downloadName}`, good);
  program(`sdk/${downloadName}`, good);
  expect(await find()).toEqual({ path: cached, found: 'our cache' });
});

test('takes what the SDK keeps, unless anybody could have put it there', async () => {
  const kept = program(`sdk/${downloadName}`, good);
  expect(await find()).toEqual({ path: kept, found: "the Temporal SDK's download" });
  chmodSync(kept, 0o777);
  expect(await failure(find())).toContain('There is no Temporal to run on');
});

test('builds one with Go into the cache, once for two at the same time', async () => {
  fakeGo(`/bin/sleep 0.2; ${install()}`);
  const found = await Promise.all([find(), find()]);
  expect(found.map(({ path }) => path)).toEqual(
    Array.from({ length: 2 }, () => join(base, 'cache/temporal-1.5.1')),
  );
  expect(timesAsked()).toBe(1);
  expect(readFileSync(join(base, 'asked'), 'utf8')).toContain(
    'install -v github.com/temporalio/cli/cmd/temporal@v1.5.1',
  );
  expect(await find()).toMatchObject({ found: 'our cache' });
});

test('keeps nothing of a build that fails, and names all ways with what went wrong', async () => {
  program('bin1/temporal', 'exit 4');
  fakeGo('echo half > "$GOBIN/temporal"; echo "no space left" >&2; exit 1');
  const message = await failure(find());
  const [, server, cli, sdk, go] = message.split('\n');
  expect(server).toContain('TEMPORAL_ADDRESS');
  expect(cli).toMatch(/TEMPORAL_CLI_PATH.*bin1\/temporal does not run .*exit code 4/);
  expect(sdk).toMatch(/temporal\.download.*failed to download/);
  expect(go).toMatch(/install Go.*no space left/);
  expect(readdirSync(join(base, 'cache')).filter((name) => !name.startsWith('lock.'))).toEqual([]);
});

test('says so where there is nothing at all', async () => {
  writeFileSync(join(base, 'cache'), 'a file in its place');
  const message = await failure(find());
  expect(message).toContain('there is no temporal on PATH');
  expect(message).toContain('cache cannot be used');
  rmSync(join(base, 'cache'));
  expect(await failure(find())).toContain('there is no go on PATH');
});

test('removes what a killed process left half done', async () => {
  program('cache/getting-abc/temporal', good);
  fakeGo(install());
  await find();
  expect(existsSync(join(base, 'cache/getting-abc'))).toBe(false);
});
