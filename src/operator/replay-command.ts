import { resolve } from 'node:path';
import type { DataConverter } from '@temporalio/common';
import { InvalidArgumentError, type Command } from 'commander';
import { loadConfig } from '../config.ts';
import { batchWorkflow } from '../delivery.ts';
import { createLog, type Logger } from '../log.ts';
import { createDataConverter } from '../temporal/data-converter.ts';
import { installRuntime } from '../temporal/runtime.ts';
import { UserError } from '../user-error.ts';
import { readHistoryFile, type NamedHistory } from './history-file.ts';
import { readHistory } from './history.ts';
import { refusalIn } from './refusal.ts';
import { replayHistories } from './replay.ts';
import { connectOperator, withDataDir, type Operator } from './target.ts';

interface Options {
  config?: string;
  dataDir: string;
  query?: string;
  limit: number;
}

const workflowBundle = resolve(import.meta.dirname, '../workflow-bundle.js');
const diverged = 1;

const count = (text: string): number => {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('It is a number from 1.');
  return Number(text);
};

/** All the files' histories; nothing is replayed where one of them cannot be read. */
const fromFiles = (files: readonly string[]): NamedHistory[] => {
  const read = files.map(readHistoryFile);
  const problems = read.filter((each) => typeof each === 'string');
  if (problems.length > 0) throw new UserError(`${problems.join('\n')}\nNothing was replayed.`);
  return read.filter((each) => typeof each !== 'string').flat();
};

/** The histories of the batches that a query finds, the latest first. */
const fromTemporal = async function* (
  operator: Operator,
  query: string,
  limit: number,
): AsyncGenerator<NamedHistory> {
  const batches = operator.client.workflow.list({
    query: `WorkflowType = "${batchWorkflow}" AND (${query})`,
  });
  let found = 0;
  try {
    for await (const { workflowId, runId } of batches) {
      const history = { events: await readHistory(operator, { workflowId, runId }) };
      yield { name: `${workflowId} (run ${runId})`, history };
      found += 1;
      if (found === limit) return;
    }
  } catch (error) {
    const refusal = refusalIn(error);
    if (refusal === undefined) throw error;
    throw new UserError(`Temporal gives no histories for ${query}: ${refusal.words}`);
  }
};

/** Replays, says what became of each, and sets the exit code. */
const report = async (
  histories: Iterable<NamedHistory> | AsyncIterable<NamedHistory>,
  converter: DataConverter,
  nothing: string,
): Promise<void> => {
  let replayed = 0;
  let diverging = 0;
  for await (const { name, divergence } of replayHistories(workflowBundle, converter, histories)) {
    replayed += 1;
    if (divergence !== undefined) diverging += 1;
    process.stdout.write(
      divergence === undefined
        ? `ok       ${name}\n`
        : `DIVERGES ${name}\n         ${divergence}\n`,
    );
  }
  if (replayed === 0) throw new UserError(nothing);
  process.stdout.write(
    diverging === 0
      ? `${replayed} replayed, none diverges.\n`
      : `${replayed} replayed, ${diverging} diverge${diverging === 1 ? 's' : ''}: batches under way would be stuck in this build.\n`,
  );
  if (diverging > 0) process.exitCode = diverged;
};

/** Adds `replay`: histories of batches and redrives, against this build's workflows. */
export const addReplay = (program: Command, env: NodeJS.ProcessEnv, log: Logger): Command =>
  withDataDir(program.command('replay'))
    .description(
      "run histories of batches and redrives through this build's workflows; exit code 1 where one diverges, 2 where one cannot be read",
    )
    .argument('[files...]', 'histories, as `temporal workflow show -o json` writes them')
    .option(
      '--query <query>',
      "instead of files: Temporal's batches that this visibility query finds",
    )
    .option('--limit <number>', 'at most so many of them, the latest first', count, 100)
    .option('--config <file>', 'configuration, for its encryption keys')
    .action(async (files: string[], options: Options) => {
      const { query } = options;
      if ((files.length === 0) === (query === undefined)) {
        throw new UserError('Name files with histories, or give a --query: one of the two.');
      }
      // The SDK's own account of what diverges; it is told in short.
      const quiet = log.isLevelEnabled('debug') ? log : createLog('silent');
      const { config } = loadConfig(options.config, env);
      if (query === undefined) {
        const histories = fromFiles(files);
        installRuntime(quiet);
        await report(
          histories,
          createDataConverter(config.encryptionKeys),
          'There is nothing in these files.',
        );
        return;
      }
      const operator = await connectOperator(config, env, options.dataDir, quiet);
      try {
        const histories = fromTemporal(operator, query, options.limit);
        const { dataConverter: converter } = operator.client.options;
        await report(histories, converter, `No batch is found by ${query}: nothing was replayed.`);
      } finally {
        await operator.close();
      }
    });
