// Compiles src/ to dist/, and bundles the workflows where what they are made of has changed.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const bundle = join(dist, 'workflow-bundle.js');
const require = createRequire(import.meta.url);

const tsc = require.resolve('typescript/bin/tsc');
try {
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], {
    stdio: 'inherit',
  });
} catch {
  process.exit(1); // the compiler has said why
}
chmodSync(join(dist, 'cli.js'), 0o755);

const made = [
  ...readdirSync(join(dist, 'workflows')).map((file) => join(dist, 'workflows', file)),
  join(dist, 'delivery.js'),
  join(dist, 'temporal', 'payload-converter.js'),
  join(dist, 'temporal', 'sandbox-failure-converter.js'),
  join(root, 'package-lock.json'),
];
const newest = Math.max(...made.map((file) => statSync(file).mtimeMs));
if (!existsSync(bundle) || statSync(bundle).mtimeMs < newest) {
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(dist, 'workflows', 'index.js'),
    payloadConverterPath: join(dist, 'temporal', 'payload-converter.js'),
    failureConverterPath: join(dist, 'temporal', 'sandbox-failure-converter.js'),
    logger: {
      log() {},
      trace() {},
      debug() {},
      info() {},
      warn: console.warn,
      error: console.error,
    },
  });
  writeFileSync(bundle, code);
}
