// Takes data directories in a process of its own: node lock-child.mjs FIRST-AT DIR…
// At FIRST-AT, in ms since the epoch, it tries the first directory, and each of the others some
// milliseconds later; then it prints, as JSON, which it got, and holds them until it is killed.
import { lockDataDir } from '../../dist/data-dir.js';

const [firstAt, ...directories] = process.argv.slice(2);
const betweenMs = 4;
const got = directories.map((directory, at) => {
  while (Date.now() < Number(firstAt) + at * betweenMs);
  try {
    lockDataDir(directory);
    return true;
  } catch (error) {
    if (error.name !== 'UserError') throw error;
    return false;
  }
});
process.stdout.write(`${JSON.stringify(got)}\n`);
setInterval(() => undefined, 60_000);
