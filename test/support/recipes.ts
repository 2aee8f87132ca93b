import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { createLog } from '../../src/log.ts';
import { findTemporalProgram } from '../../src/temporal/program.ts';
import { testAddress } from './temporal.ts';

const root = resolve(import.meta.dirname, '../..');

/** What a command line printed, and its exit code. */
interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** The recipes of docs/operating.md, run with the real tools on the test run's Temporal. */
export interface Recipes {
  /**
   * Runs a recipe as it stands there, but for what it says as an example.
   * @param instead by what is there, what to put in its place; each has to be there
   */
  run: (recipe: string, instead: Record<string, string>) => Promise<Ran>;
  /** The recipes that no test has run. */
  notRun: () => string[];
  close: () => void;
}

/** The command lines by the name in the comment above them. */
const written = (): Map<string, string> => {
  const text = readFileSync(join(root, 'docs/operating.md'), 'utf8');
  const found = text.matchAll(/<!-- recipe: (.+?) -->\s+```sh\n([^]*?)```/g);
  return new Map([...found].map(([, name, lines]) => [name!, lines!]));
};

export const openRecipes = async (): Promise<Recipes> => {
  const recipes = written();
  const notRun = new Set(recipes.keys());
  const { path } = await findTemporalProgram({ env: process.env, log: createLog('silent') });
  const tools = mkdtempSync(join(tmpdir(), 'distributary-test-'));
  symlinkSync(path, join(tools, 'temporal')); // its name is another where it was downloaded
  return {
    run: (recipe, instead) => {
      let lines = recipes.get(recipe);
      if (lines === undefined) throw new Error(`docs/operating.md has no recipe "${recipe}"`);
      notRun.delete(recipe);
      for (const [example, value] of Object.entries(instead)) {
        if (!lines.includes(example)) throw new Error(`"${recipe}" does not say ${example}`);
        lines = lines.replaceAll(example, value);
      }
      if (/batch-4e1f|mixpanel(?!-)/.test(lines))
        throw new Error(`"${recipe}" is left with: ${lines}`);
      return new Promise((ran) => {
        const child = execFile(
          'sh',
          ['-e', '-c', lines],
          {
            cwd: root,
            env: {
              ...process.env,
              PATH: `${tools}:${process.env['PATH']}`,
              TEMPORAL_ADDRESS: testAddress(),
              TEMPORAL_CLI_ADDRESS: testAddress(),
            },
          },
          (_error, stdout, stderr) => ran({ code: child.exitCode ?? -1, stdout, stderr }),
        );
        child.stdin?.end();
      });
    },
    notRun: () => [...notRun],
    close: () => rmSync(tools, { recursive: true }),
  };
};

/** Whether this machine has a program on its PATH. */
export const isOnPath = (program: string): boolean =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((directory) => existsSync(join(directory, program)));
