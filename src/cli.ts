#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander';
import { loadConfig } from './config.ts';
import { destinationTypes } from './destinations/index.ts';
import { describeTypes } from './describe-types.ts';
import { addExamples } from './examples.ts';
import { createLog, type Logger } from './log.ts';
import { addExplain } from './operator/explain-command.ts';
import { addReplay } from './operator/replay-command.ts';
import { addReset } from './operator/reset-command.ts';
import { addRedrive } from './operator/redrive-command.ts';
import { addStatus } from './operator/status-command.ts';
import { runUntilSignal } from './run.ts';
import { temporalTarget, type TemporalTarget } from './temporal/connect.ts';
import { UserError } from './user-error.ts';

const mistake = 2;

const port = (text: string): number => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535)
    throw new InvalidArgumentError('It is a number up to 65535.');
  return value;
};
const names = (text: string): string[] => text.split(',').map((name) => name.trim());

const withConfig = (command: Command): Command =>
  command.option(
    '--config <file>',
    'configuration (else DISTRIBUTARY_CONFIG, else distributary.yaml here, else a demo)',
  );
const withAddress = (command: Command, usualPort = 3000): Command =>
  command
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on', port, usualPort);

/** Which Temporal it is, for whoever forgot to say, or said another. */
const placeOf = ({ address, namespace }: TemporalTarget) => ({ temporal: address, namespace });

/**
 * The commands; what each is given it does with this environment and this log. What only the
 * long-running ones need is loaded by these: the others start a third sooner without it.
 */
const createProgram = (env: NodeJS.ProcessEnv, log: Logger): Command => {
  const program = new Command('distributary')
    .description('Durable, Segment-compatible event delivery on Temporal.')
    .showHelpAfterError('(--help shows what it takes)')
    .exitOverride();

  withAddress(withConfig(program.command('start')))
    .description(
      'run everything in one process, with a Temporal server of its own unless TEMPORAL_ADDRESS is set',
    )
    .option('--data-dir <dir>', 'where the embedded Temporal keeps its data', '.distributary')
    .action(async (options: { config?: string; host: string; port: number; dataDir: string }) => {
      const { config, place } = loadConfig(options.config, env);
      const { startAll } = await import('./start.ts');
      await runUntilSignal(() => startAll({ ...options, config, place, env, log }), log);
    });

  withAddress(withConfig(program.command('api')))
    .description(
      'run the ingest API and a workflow worker, against TEMPORAL_ADDRESS (else localhost:7233)',
    )
    .action(async (options: { config?: string; host: string; port: number }) => {
      const { config } = loadConfig(options.config, env);
      const { startService } = await import('./service.ts');
      const target = temporalTarget(env);
      await runUntilSignal(async () => {
        const parts = { api: options, workflows: true, destinations: [] };
        const service = await startService(config, parts, target, log);
        log.info({ url: service.url, ...placeOf(target) }, 'the API takes events');
        return service;
      }, log);
    });

  withConfig(program.command('worker'))
    .description('run workers, against TEMPORAL_ADDRESS (else localhost:7233)')
    .option('--destinations <names>', 'only these destinations, separated by commas', names)
    .option('--no-workflows', 'run no workflow worker')
    .action(async (options: { config?: string; destinations?: string[]; workflows: boolean }) => {
      const { config } = loadConfig(options.config, env);
      const { destinationsNamed, startService } = await import('./service.ts');
      const destinations = destinationsNamed(config, options.destinations);
      const target = temporalTarget(env);
      await runUntilSignal(async () => {
        const service = await startService(
          config,
          { workflows: options.workflows, destinations },
          target,
          log,
        );
        log.info(
          { destinations: destinations.map(({ name }) => name), ...placeOf(target) },
          'the workers run',
        );
        return service;
      }, log);
    });

  withAddress(program.command('sandbox'), 3001)
    .description(
      'run the partner sandbox alone: it plays the partners, and shows what they received',
    )
    .option('--webhook-secret <secret>', 'what webhooks must be signed with (else none has to be)')
    .action(async (options: { host: string; port: number; webhookSecret?: string }) => {
      const { createSandbox } = await import('./sandbox/sandbox.ts');
      await runUntilSignal(async () => {
        const { url, close } = await createSandbox({ ...options, log });
        log.info({ url }, 'the partner sandbox runs');
        return { stop: close };
      }, log);
    });

  withConfig(program.command('check'))
    .description('check a configuration, and say every mistake in it')
    .action((options: { config?: string }) => {
      const { config, place } = loadConfig(options.config, env);
      process.stdout.write(
        `${place} is in order. Sources: ${config.sources.length}, destinations: ${config.destinations.length}.\n`,
      );
    });

  program
    .command('destinations')
    .description('list the destination types with their settings')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) => {
      process.stdout.write(describeTypes(destinationTypes, options.json === true));
    });
  addStatus(withConfig(program.command('status')), env, log);
  addExplain(withConfig(program.command('explain')), env, log);
  addRedrive(withConfig(program.command('redrive')), env, log);
  addReset(program, env, log);
  addReplay(program, env, log);
  addExamples(program);
  return program;
};

try {
  const log = createLog(process.env['LOG_LEVEL'], process.stderr.isTTY);
  await createProgram(process.env, log).parseAsync();
} catch (error) {
  const { code, exitCode } = error as { code?: string; exitCode?: number };
  if (code?.startsWith('commander.')) {
    // Commander has said it; help that was asked for is no mistake.
    process.exit(exitCode === 0 ? 0 : mistake);
  }
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(mistake);
}
