// Runs an embedded Temporal in a process of its own: node embedded-child.mjs PROGRAM DATA-DIR
// Once it is up it prints its address and process as JSON; then each signal that it gets. On SIGTERM
// it stops the server, says `stopped`, and ends.
import { lockDataDir } from '../../dist/data-dir.js';
import { createLog } from '../../dist/log.js';
import { startEmbedded } from '../../dist/temporal/embedded.js';

const [program, dataDir] = process.argv.slice(2);
const lock = lockDataDir(dataDir);
const { address, pid, stop } = await startEmbedded({
  program,
  dataDir: lock.path,
  ui: false,
  preferredPort: 0,
  env: process.env,
  log: createLog('error'),
});
process.on('SIGINT', () => process.stdout.write('SIGINT\n'));
const waiting = setInterval(() => undefined, 60_000);
process.on('SIGTERM', () => {
  clearInterval(waiting);
  void stop().then(() => process.stdout.write('stopped\n'));
});
process.stdout.write(`${JSON.stringify({ address, pid: pid() })}\n`);
