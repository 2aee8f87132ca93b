import type { Command } from 'commander';
import { createBatchReader } from '../activities/batch-reader.ts';
import { loadConfig } from '../config.ts';
import type { Logger } from '../log.ts';
import { createExplainer, type Explanation, type ToldEvent } from './explainer.ts';
import { receivedWords } from './fate-words.ts';
import { connectOperator, withDataDir } from './target.ts';
import { whereToLook } from './where.ts';

const limits = { batches: 20_000, ms: 60_000 };
const notFound = 1;

const attemptLine = (attempt: ToldEvent['destinations'][number]['attempts'][number]): string => {
  const { at, ms, events, status, reason = '' } = attempt;
  const told = status === 'under_way' ? 'under way' : String(status);
  const answer = reason.startsWith(told) ? reason : `${told} ${reason}`.trimEnd();
  const count = `${events} ${events === 1 ? 'event' : 'events'}`;
  return `    ${at}  ${ms} ms  ${count}  ${answer}; ${receivedWords(attempt)}`;
};

const eventText = ({
  messageId,
  type,
  source,
  acceptedAt,
  batch,
  destinations,
  notes,
}: ToldEvent): string => {
  const width = Math.max(0, ...destinations.map(({ destination }) => destination.length));
  return [
    `${messageId}: a ${type} event of ${source}, accepted ${acceptedAt}`,
    `  in ${batch.id} (${batch.status}, started ${batch.startedAt}), event ${batch.place + 1} of ${batch.events}`,
    ...destinations.flatMap(({ destination, words, attempts }) => [
      `  ${destination.padEnd(width)}  ${words}`,
      ...attempts.map(attemptLine),
    ]),
    ...notes.map((note) => `  ${note}`),
  ].join('\n');
};

const text = ({ events, searched }: Explanation): string =>
  [...(events.length > 0 ? events.map(eventText) : ['Not found.']), searched].join('\n') + '\n';

/** Makes a command, which has `--config`, `explain`; it exits with 1 where the event is not found. */
export const addExplain = (command: Command, env: NodeJS.ProcessEnv, log: Logger): Command =>
  withDataDir(command)
    .description('tell what became of one event, at each destination')
    .argument('<messageId>', 'of the event')
    .option(
      '--around <time>',
      'about when it was accepted: ISO-8601 (without a zone: UTC), or 2h for two hours ago; ' +
        'else the time that the messageId says, as those of analytics.js and analytics-node do',
    )
    .option(
      '--batch <id>',
      'the batch that holds it, as clients are answered in Distributary-Batch',
    )
    .option('--json', 'as JSON')
    .action(
      async (
        messageId: string,
        options: {
          around?: string;
          batch?: string;
          json?: boolean;
          config?: string;
          dataDir: string;
        },
      ) => {
        const { around, batch } = options;
        const question = { messageId, around, batch };
        whereToLook(question, Date.now()); // a mistake is told before anything is connected to
        const { config } = loadConfig(options.config, env);
        const operator = await connectOperator(config, env, options.dataDir, log);
        try {
          const { client, connection, namespace } = operator;
          const { workflowService } = connection;
          const explain = createExplainer({
            client,
            readBatch: createBatchReader({
              workflowService,
              namespace,
              keys: config.encryptionKeys,
              keptBytes: 0,
            }).read,
            destinations: config.destinations,
            limits,
          });
          const answer = await explain(question);
          process.stdout.write(
            options.json === true ? `${JSON.stringify(answer, undefined, 2)}\n` : text(answer),
          );
          if (answer.events.length === 0) process.exitCode = notFound;
        } finally {
          await operator.close();
        }
      },
    );
