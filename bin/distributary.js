#!/usr/bin/env node
// What `npx distributary` runs. It is committed, so that npm can link it before there is a build.
import { existsSync } from 'node:fs';

const cli = new URL('../dist/cli.js', import.meta.url);
if (existsSync(cli)) {
  await import(cli.href);
} else {
  process.stderr.write('Distributary is not built yet: run `npm run build` first.\n');
  process.exitCode = 2;
}
