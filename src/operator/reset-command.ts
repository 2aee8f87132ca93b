import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { batchWorkflow } from '../delivery.ts';
import type { Logger } from '../log.ts';
import { UserError } from '../user-error.ts';
import { readHistory } from './history.ts';
import { isAgreed } from './is-agreed.ts';
import { readPastRun } from './past-deliveries.ts';
import { refusalIn } from './refusal.ts';
import { planReset, type ResetPlan } from './reset.ts';
import { connectOperator, withDataDir, type Operator } from './target.ts';

interface Options {
  config?: string;
  dataDir: string;
  destination: string;
  runId?: string;
  reason: string;
  whole: boolean;
  dryRun: boolean;
  yes: boolean;
}

const commandName = 'distributary reset';
const invalidArgument = 3; // gRPC's

/** What a look-up of a batch's run says; a batch or a run that there is not is the user's mistake. */
const describeRun = async ({ client }: Operator, batchId: string, runId?: string) => {
  try {
    return await client.workflow.getHandle(batchId, runId).describe();
  } catch (error) {
    const malformed = refusalIn(error)?.code === invalidArgument;
    if (!malformed && !(error instanceof WorkflowNotFoundError)) throw error;
    throw new UserError(
      `There is no batch ${batchId}${runId === undefined ? '' : ` with a run ${runId}`}. Its id is what the client was answered in Distributary-Batch; ` +
        "batches are kept for the namespace's retention.",
    );
  }
};

/** The run to reset: the latest, or the one that is named, and none while the batch is open. */
const closedRun = async (operator: Operator, batchId: string, runId?: string) => {
  const latest = await describeRun(operator, batchId);
  if (latest.type !== batchWorkflow) {
    throw new UserError(
      `${batchId} is a workflow ${latest.type}, and no batch: there is nothing to reset.`,
    );
  }
  if (latest.status.name === 'RUNNING') {
    throw new UserError(
      `${batchId} is still open (run ${latest.runId}), and nothing was changed. What it has parked is sent ` +
        'again by the signal redrive, without a reset; reset it once it has ended.',
    );
  }
  const run = runId === undefined ? latest : await describeRun(operator, batchId, runId);
  return { workflowId: batchId, runId: run.runId, status: run.status.name.toLowerCase() };
};

const counted = (count: number): string => `${count} event${count === 1 ? '' : 's'}`;
const events = (count: number, whole: number): string =>
  count < whole
    ? `${count} of ${counted(whole)}`
    : whole === 1
      ? 'its event'
      : `all ${count} events`;

/** What a reset will do, for people. */
const told = (plan: ResetPlan, destination: string, whole: number): string => {
  const again = plan.shares.filter((share) => share.again > 0);
  const kept = plan.shares.filter((share) => share.again === 0);
  const lines = [
    `Reset to event ${plan.eventId}: ${destination} begins again with ${plan.redone}.`,
    'Sent again:',
    ...again.map((share) => {
      const why =
        share.destination === destination
          ? ''
          : ', as it had not ended by then (what was parked there parks again)';
      return `  ${share.destination}: ${events(share.again, whole)}${why}`;
    }),
  ];
  if (kept.length > 0) lines.push('Kept, not sent again:');
  for (const share of kept) {
    const left = share.left === 0 ? '' : ` (${counted(share.left)} unsettled, as they are)`;
    lines.push(`  ${share.destination}${left}`);
  }
  if (plan.staysRejected > 0) {
    lines.push(
      `${counted(plan.staysRejected)} that ${destination} rejected before stay so; --whole sends all again.`,
    );
  }
  if (plan.signals > 0) {
    lines.push(`Signals received after that event, given to the new run again: ${plan.signals}.`);
  }
  lines.push(
    'Repeats carry the same idempotency keys: a partner that looks at them drops what it has.',
  );
  return `${lines.join('\n')}\n`;
};

const say = (text: string): void => void process.stdout.write(text);

const reset = async (operator: Operator, batchId: string, options: Options): Promise<void> => {
  const { destination, reason } = options;
  const { status, ...run } = await closedRun(operator, batchId, options.runId);
  const history = await readHistory(operator, run);
  const past = await readPastRun(history, operator.client.options.loadedDataConverter);
  const planned = past.plan.deliveries.map((delivery) => delivery.destination);
  if (!planned.includes(destination)) {
    throw new UserError(
      `${batchId} was not for ${destination}; its destinations are ${planned.join(', ')}.`,
    );
  }
  const plan = planReset(past, destination, options.whole);
  if (plan === undefined) {
    throw new UserError(
      `The run ${run.runId} of ${batchId} ended before it sent anything: there is no event to reset to. ` +
        'Name another run with --run-id.',
    );
  }
  say(`${batchId}, run ${run.runId}: ${status}\n${told(plan, destination, past.plan.events)}`);
  if (options.dryRun || !(options.yes || (await isAgreed('Reset it?')))) {
    say('Nothing was changed.\n');
    return;
  }
  // Somebody else may have reset it meanwhile: a reset of an open batch would end what is under way.
  await closedRun(operator, batchId, run.runId);
  const { runId } = await operator.client.workflowService
    .resetWorkflowExecution({
      namespace: operator.namespace,
      workflowExecution: run,
      workflowTaskFinishEventId: history[plan.eventId - 1]!.eventId!,
      reason,
      requestId: randomUUID(),
    })
    .catch((error: unknown) => {
      const refusal = refusalIn(error);
      if (refusal === undefined) throw error;
      throw new UserError(
        `Temporal does not reset ${batchId} to event ${plan.eventId}: ${refusal.words} Nothing was changed.`,
      );
    });
  say(`${batchId} goes on as run ${runId}.\n`);
};

/** Adds `reset`: one destination's part of a batch that has ended, again. */
export const addReset = (program: Command, env: NodeJS.ProcessEnv, log: Logger): Command =>
  withDataDir(program.command('reset'))
    .description(
      'send a batch that has ended to one destination again: finds the event to reset to, and says what that does',
    )
    .argument('<batch-id>', "the batch's workflow id, as answered in Distributary-Batch")
    .requiredOption('--destination <name>', 'the destination to send to again')
    .option('--whole', 'all of its events, and not only from where some were left or rejected')
    .option('--run-id <id>', 'which run of the batch; omitted: the latest')
    .option('--reason <text>', "for the batch's history", commandName)
    .option('--dry-run', 'only say what it would do')
    .option('--yes', 'do not ask')
    .option('--config <file>', 'configuration, for its encryption keys')
    .action(async (batchId: string, given: Partial<Options>) => {
      const options = { whole: false, dryRun: false, yes: false, ...given } as Options;
      if (!options.yes && !options.dryRun && !process.stdin.isTTY) {
        throw new UserError(
          'There is no terminal to ask on: add --yes to reset, or --dry-run to see what it would do.',
        );
      }
      const { config } = loadConfig(options.config, env);
      const operator = await connectOperator(config, env, options.dataDir, log);
      try {
        await reset(operator, batchId, options);
      } finally {
        await operator.close();
      }
    });
