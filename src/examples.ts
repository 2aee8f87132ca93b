import type { Command } from 'commander';

/** Command lines for each command's help. */
const examples: Record<string, string[]> = {
  start: ['distributary start --config distributary.yaml --port 3000'],
  api: ['TEMPORAL_ADDRESS=temporal.example:7233 distributary api --host 0.0.0.0'],
  worker: [
    'TEMPORAL_ADDRESS=temporal.example:7233 distributary worker --destinations mixpanel,ga4',
  ],
  check: ['distributary check --config distributary.yaml'],
  destinations: ['distributary destinations --json'],
  sandbox: ['distributary sandbox --port 3001'],
  explain: ['distributary explain node-next-1795379203977-67754da6 --around 2h'],
  status: ['distributary status'],
  redrive: [
    'distributary redrive --destination mixpanel --dry-run',
    'distributary redrive --destination mixpanel --reason rate_limited --since 2h --rate 50/s --yes',
    'distributary redrive --destination mixpanel --pause',
  ],
  reset: ['distributary reset batch-4e1f --destination mixpanel --dry-run'],
  replay: [
    'distributary replay test/workflows/histories/*.json',
    `distributary replay --query 'ExecutionStatus = "Running"' --limit 500`,
  ],
};

/** Adds to the help of a program's commands what is typed, as an example. */
export const addExamples = (program: Command): void => {
  for (const command of program.commands) {
    const lines = examples[command.name()];
    if (lines === undefined) continue;
    const heading = lines.length > 1 ? 'Examples' : 'Example';
    command.addHelpText('after', `\n${heading}:\n${lines.map((line) => `  ${line}\n`).join('')}`);
  }
};
