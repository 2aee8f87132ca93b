import { spawn, type ChildProcess } from 'node:child_process';
import { createLog } from '../../src/log.ts';
import { startEmbedded, type EmbeddedTemporal } from '../../src/temporal/embedded.ts';
import { findTemporalProgram } from '../../src/temporal/program.ts';

/** What the teardown ends: both run in jest's own process. */
export const run: { temporal?: EmbeddedTemporal; guard?: ChildProcess } = ((
  globalThis as { distributaryTestRun?: object }
).distributaryTestRun ??= {});

/** Starts the run's Temporal server, in memory; tests find it by `testAddress()`. */
// eslint-disable-next-line import-x/no-default-export -- jest asks for one
export default async function setup(): Promise<void> {
  if (run.temporal !== undefined) return; // of another project in the same run
  const log = createLog('info');
  const { path } = await findTemporalProgram({ env: process.env, log });
  run.temporal = await startEmbedded({
    program: path,
    ui: false,
    preferredPort: 0,
    env: process.env,
    log,
  });
  // However jest ends, the pipe to the guard closes, and it ends the server.
  run.guard = spawn('sh', ['-c', `cat; kill -9 ${run.temporal.pid()} 2>/dev/null`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  run.guard.unref();
  (run.guard.stdin as unknown as { unref: () => void }).unref();
  process.env['TEST_TEMPORAL_ADDRESS'] = run.temporal.address;
}
