import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { neighbours } from './neighbours.ts';
import { offeredLoads } from './offered.ts';
import { redrives } from './redrive.ts';
import { chart, machine, markdown, resultOf, table, type Report, type Result } from './report.ts';
import { keepsBound, type Pace, type Scenario } from './scenario.ts';
import { throughput } from './throughput.ts';

const scenarios: readonly Scenario[] = [...throughput, ...offeredLoads, ...neighbours, ...redrives];

const program = new Command('bench')
  .description('Measures Distributary on this machine, with everything it needs, on loopback.')
  .argument('[scenarios...]', `which ones: ${scenarios.map(({ name }) => name).join(', ')}`)
  .option('--quick', 'seconds instead of minutes, and no bounds on what the machine decides')
  .option('--no-bounds', 'at full length, but fail for no bound that is missed')
  .option('--out <folder>', 'where the results go', 'bench-results')
  .parse();
const {
  quick = false,
  bounds,
  out,
} = program.opts<{ quick?: boolean; bounds: boolean; out: string }>();

const unknown = program.args.find((name) => scenarios.every((each) => each.name !== name));
if (unknown !== undefined) {
  console.error(`There is no scenario ${unknown}; see npm run bench -- --help.`);
  process.exit(2);
}
const chosen = scenarios.filter(
  ({ name }) => program.args.length === 0 || program.args.includes(name),
);
const pace: Pace = { quick, seconds: (full) => (quick ? Math.ceil(full / 10) : full) };

const measure = async (scenario: Scenario): Promise<Result> => {
  try {
    return resultOf(scenario, await scenario.run(pace));
  } catch (error) {
    return {
      ...resultOf(scenario, []),
      void: error instanceof Error ? error.message : String(error),
    };
  }
};

const results: Result[] = [];
console.log(`${machine()}${quick ? ', quick' : ''}\n`);
for (const scenario of chosen) {
  const result = await measure(scenario);
  results.push(result);
  console.log(`${table(result)}\n`);
}

const report: Report = {
  machine: machine(),
  node: process.version,
  quick,
  at: new Date().toISOString(),
  results,
};
const folder = resolve(out);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'results.json'), `${JSON.stringify(report, null, 2)}\n`);
writeFileSync(join(folder, 'results.md'), `${markdown(results)}\n`);
writeFileSync(join(folder, 'chart.svg'), chart(report));
console.log(`results.json, results.md and chart.svg are in ${folder}`);

const isVoid = results.some((result) => result.void !== undefined);
const missed = results
  .flatMap(({ figures }) => figures)
  .filter((each) => keepsBound(each) === false);
if (isVoid || (missed.length > 0 && bounds && !quick)) process.exit(1);
