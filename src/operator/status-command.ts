import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { Command } from 'commander';
import { loadConfig, type Config } from '../config.ts';
import type { Logger } from '../log.ts';
import { openBatches } from '../temporal/open-batches.ts';
import { redriveLines } from './redrive-list.ts';
import { connectOperator, withDataDir } from './target.ts';

const stuckKey = defineSearchAttributeKey('StuckDestinations', 'KEYWORD_LIST');
/** So many stuck batches are told apart; of what is beyond them only the number is told. */
const mostRead = 20_000;
const pageSize = 1_000;

const batchesWords = (count: number): string => `${count} ${count === 1 ? 'batch' : 'batches'}`;

/** How many stuck batches name each destination and connection, as far as they are read. */
const stuckByName = async (client: Client): Promise<Map<string, number>> => {
  const counts = new Map<string, number>();
  const query = openBatches('StuckDestinations IS NOT NULL');
  let read = 0;
  for await (const { typedSearchAttributes } of client.workflow.list({ query, pageSize })) {
    for (const name of typedSearchAttributes.get(stuckKey) ?? []) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    read += 1;
    if (read === mostRead) break;
  }
  return counts;
};

/** What is not settled and what is stuck, by destination, in lines. */
const statusLines = async (client: Client, { destinations }: Config): Promise<string[]> => {
  const count = async (...conditions: string[]): Promise<number> =>
    (await client.workflow.count(openBatches(...conditions))).count;
  const stuck = await stuckByName(client);
  const names = new Set([
    ...destinations.map(({ name }) => name),
    ...[...stuck.keys()].map((name) => name.split('/')[0]!),
  ]);
  const lines = [`${batchesWords(await count())} not settled`];
  for (const name of names) {
    const open = await count(`Destinations = '${name}'`);
    const isConfigured = destinations.some((destination) => destination.name === name);
    lines.push(
      `${name}${isConfigured ? '' : ' (not configured any more)'}: in ${batchesWords(open).replace(' ', ' open ')}, stuck in ${stuck.get(name) ?? 0}`,
    );
    for (const [connection, batches] of [...stuck].sort()) {
      if (connection.startsWith(`${name}/`)) lines.push(`  ${connection}: stuck in ${batches}`);
    }
  }
  const told = [...stuck.values()].some((batches) => batches >= mostRead);
  if (told) lines.push(`Only ${mostRead} of the stuck batches were read: there are more.`);
  return [...lines, ...(await redriveLines(client))];
};

/** Makes a command of `status`: what is not settled, what is stuck, and what is redriven. */
export const addStatus = (command: Command, env: NodeJS.ProcessEnv, log: Logger): void => {
  withDataDir(command)
    .description('show what is not settled and what is stuck, by destination')
    .action(async ({ config: file, dataDir }: { config?: string; dataDir: string }) => {
      const { config } = loadConfig(file, env);
      const operator = await connectOperator(config, env, dataDir, log);
      try {
        const lines = await statusLines(operator.client, config);
        process.stdout.write(`${lines.join('\n')}\n`);
      } finally {
        await operator.close();
      }
    });
};
