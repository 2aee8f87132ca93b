import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { Option, type Command } from 'commander';
import { loadConfig, type Config } from '../config.ts';
import {
  batchQueue,
  redriveId,
  redriveSignals,
  redriveWorkflow,
  type FailureCode,
  type RedriveOrder,
} from '../delivery.ts';
import type { Logger } from '../log.ts';
import { createOpenBatches } from '../temporal/open-batches.ts';
import { UserError } from '../user-error.ts';
import { isAgreed } from './is-agreed.ts';
import { countRedrive, countWords } from './redrive-count.ts';
import {
  parseRate,
  parseReasons,
  parseSince,
  reasonsHelp,
  redriveRequest,
  type Since,
} from './redrive-request.ts';
import { redriveLines } from './redrive-list.ts';
import { lookAtRedrive, progressWords, watchRedrive, type Screen } from './redrive-watch.ts';
import { connectOperator, withDataDir } from './target.ts';

interface RedriveOptions {
  config?: string;
  dataDir: string;
  destination: string;
  source?: string;
  since?: Since;
  reason?: FailureCode[];
  rate?: number;
  now?: true;
  dryRun?: true;
  yes?: true;
  attach?: true;
  pause?: true;
  resume?: true;
  cancel?: true;
}

/** So many batches a second leave most of two cores to live traffic: see the bench. */
const usualPerSecond = 20;
const leftByCtrlC = 130;

const say = (words: string): void => void process.stdout.write(`${words}\n`);
const screen = (): Screen => ({
  isTerminal: process.stderr.isTTY,
  write: (text) => void process.stderr.write(text),
});

/**
 * Watches until the end, Ctrl-C, or a long silence, and says how it stands.
 * @returns whether it has ended
 */
const watch = async (
  client: Client,
  destination: string,
  stuckQuery?: string,
): Promise<boolean> => {
  const over = new AbortController();
  const leave = (): void => over.abort();
  process.once('SIGINT', leave);
  process.once('SIGTERM', leave);
  const { status, progress, isSilent } = await watchRedrive(
    client,
    destination,
    screen(),
    over.signal,
  );
  process.off('SIGINT', leave);
  process.off('SIGTERM', leave);
  if (progress !== undefined) say(progressWords(progress));
  const itself = `distributary redrive --destination ${destination}`;
  if (isSilent === true) {
    say(
      'Nobody answers for the redrive: neither has it ended, nor does a process with a workflow worker run it. ' +
        'See that Temporal and `distributary start` (or `api`, `worker`) run: then it goes on by itself.\n' +
        `To see it: ${itself} --attach\n` +
        `To end it without them: temporal workflow terminate -w ${redriveId(destination)}`,
    );
    process.exitCode = 1;
    return false;
  }
  if (over.signal.aborted) {
    say(
      `The redrive goes on without this window. To see it: ${itself} --attach\n` +
        'In place of --attach, --pause halts it, --resume lets it go on, and --cancel ends it.',
    );
    process.exitCode = leftByCtrlC;
    return false;
  }
  if (status !== 'COMPLETED')
    say(`The redrive has ended before its time: ${status.toLowerCase()}.`);
  for (const { batch, reason } of progress?.failures ?? []) say(`  ${batch}: ${reason}`);
  if (stuckQuery !== undefined) {
    const { count } = await client.workflow.count(stuckQuery);
    if (count > 0) say(`Of the batches that were meant, ${count} are stuck again, or still.`);
  }
  if ((progress?.failed ?? 0) > 0 || status !== 'COMPLETED') process.exitCode = 1;
  return true;
};

/** Tells a running redrive something, or shows it. */
const steer = async (client: Client, options: RedriveOptions): Promise<void> => {
  const { destination, rate } = options;
  const looked = await lookAtRedrive(client, destination);
  if (looked === undefined || (looked.status !== 'RUNNING' && options.attach !== true)) {
    throw new UserError(`No redrive of ${destination} is under way.`);
  }
  const redrive = client.workflow.getHandle(redriveId(destination));
  if (options.attach === true) {
    await watch(client, destination);
    return;
  }
  if (options.cancel === true) {
    await redrive.cancel();
    say(`The redrive of ${destination} ends now; what it has sent stays sent.`);
    // It was asked to end before its time.
    if (await watch(client, destination)) process.exitCode = 0;
    return;
  }
  if (rate !== undefined) await redrive.signal(redriveSignals.rate, rate);
  await redrive.signal(redriveSignals[options.pause === true ? 'pause' : 'resume']);
  say(
    options.pause === true
      ? `The redrive of ${destination} pauses: within seconds it redrives no more.`
      : `The redrive of ${destination} goes on.`,
  );
};

const begin = async (client: Client, config: Config, options: RedriveOptions): Promise<void> => {
  const { destination } = options;
  const isRunning = new UserError(
    `A redrive of ${destination} is under way: --attach shows it, --cancel ends it. Nothing was changed.`,
  );
  if (options.dryRun !== true) {
    const looked = await lookAtRedrive(client, destination);
    if (looked?.status === 'RUNNING') throw isRunning;
  }
  const batches = createOpenBatches(client);
  const request = await redriveRequest(options, config, batches, Date.now());
  const counts = await countRedrive(request, batches);
  if (counts.every(({ matching, silence }) => matching === 0 && silence === undefined)) {
    const hint = options.now === true ? '' : ' What waits for its next try is hurried with --now.';
    throw new UserError(`Nothing is stuck ${request.words}. Nothing was changed.${hint}`);
  }
  for (const count of counts) say(countWords(request, count));
  for (const note of request.notes) say(note);
  if (options.dryRun === true) {
    say('Nothing was changed: it was a dry run.');
    return;
  }

  const perSecond = options.rate ?? usualPerSecond;
  const counted = counts.reduce((sum, { batches: found }) => sum + found, 0);
  if (options.yes !== true && !(await isAgreed(`Redrive them, at most ${perSecond} batches/s?`))) {
    say('Nothing was changed.');
    return;
  }
  const { choice, passes } = request;
  const order: RedriveOrder = { destination, choice, passes, perSecond, counted };
  try {
    await client.workflow.start(redriveWorkflow, {
      workflowId: redriveId(destination), // one at a time: Temporal sees to it
      taskQueue: batchQueue,
      args: [order],
      staticSummary: `${counted} batches ${request.words}`,
    });
  } catch (error) {
    throw error instanceof WorkflowExecutionAlreadyStartedError ? isRunning : error;
  }
  await watch(client, destination, passes[0]!.query);
};

/** Makes a command of `redrive`: the events of a destination's parked deliveries are sent again. */
export const addRedrive = (command: Command, env: NodeJS.ProcessEnv, log: Logger): void => {
  const others = ['source', 'since', 'reason', 'now', 'dryRun', 'yes'];
  const steeringNames = ['attach', 'pause', 'resume', 'cancel', 'list'];
  const steeringOption = (name: string, words: string): Option =>
    new Option(`--${name}`, words).conflicts([
      ...others,
      ...steeringNames.filter((other) => other !== name),
      ...(name === 'resume' ? [] : ['rate']),
    ]);
  withDataDir(command)
    .description('send what is parked at a destination again, many batches at a pace')
    .option('--destination <name>', 'the destination')
    .option('--source <name>', 'only what comes from this source')
    .option('--since <duration>', 'only batches that began within it: 30m, 2h, 3d', parseSince)
    .option('--reason <reasons>', 'only what last failed for one of these, below', parseReasons)
    .option('--now', 'also hurry deliveries that wait for their next try')
    .option('--rate <rate>', `batches a second or so: 50/s, 90/m (default: 20/s)`, parseRate)
    .option('--dry-run', 'count, and change nothing')
    .option('--yes', 'do not ask')
    .addOption(steeringOption('attach', 'show the redrive that is under way'))
    .addOption(steeringOption('pause', 'halt it'))
    .addOption(steeringOption('resume', 'let it go on, with --rate at another pace'))
    .addOption(steeringOption('cancel', 'end it'))
    .addOption(steeringOption('list', 'show every redrive that is under way'))
    .addHelpText('after', `\nReasons:\n${reasonsHelp()}`)
    .action(async (given: Partial<RedriveOptions> & { dataDir: string; list?: true }) => {
      const { destination, dataDir } = given;
      if (destination === undefined && given.list !== true) {
        throw new UserError('Say which destination: --destination NAME (or --list).');
      }
      const { config } = loadConfig(given.config, env);
      const operator = await connectOperator(config, env, dataDir, log);
      try {
        const { client } = operator;
        if (destination === undefined || given.list === true) {
          const lines = await redriveLines(client);
          say(lines.join('\n') || 'No redrive is under way.');
          return;
        }
        const options: RedriveOptions = { ...given, destination, dataDir };
        const isSteered = steeringNames.some((name) => name in given);
        await (isSteered ? steer(client, options) : begin(client, config, options));
      } finally {
        await operator.close();
      }
    });
};
