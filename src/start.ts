import { isAbsolute, resolve } from 'node:path';
import { createDoor } from './api/door.ts';
import type { Config } from './config.ts';
import { lockDataDir } from './data-dir.ts';
import type { Logger } from './log.ts';
import { createSandbox } from './sandbox/sandbox.ts';
import { startService } from './service.ts';
import { isTemporalGiven, temporalTarget, type TemporalTarget } from './temporal/connect.ts';
import { startEmbedded, type EmbeddedTemporal } from './temporal/embedded.ts';
import { findTemporalProgram } from './temporal/program.ts';
import type { UserError } from './user-error.ts';
import { firstEvent, welcome } from './welcome.ts';

export interface StartOptions {
  config: Config;
  /** How to call the configuration. */
  place: string;
  host: string;
  port: number;
  dataDir: string;
  env: NodeJS.ProcessEnv;
  log: Logger;
}

/** An address that listens everywhere is reached, from this machine, on loopback. */
const hereUrl = (url: string): string =>
  url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');

/** Stops what was started, in reverse, however far the start came; what fails to stop holds up no other. */
const createUndo = (log: Logger) => {
  const steps: (() => Promise<void> | void)[] = [];
  return {
    add: (step: () => Promise<void> | void) => steps.push(step),
    all: async () => {
      for (const step of steps.splice(0).reverse()) {
        try {
          await step();
        } catch (error) {
          log.error({ err: error }, 'a part could not be stopped orderly');
        }
      }
    },
  };
};

/**
 * Runs everything in this process: Temporal unless the environment names one, the partner sandbox
 * where the configuration asks for it, the API, and every worker. What it starts it stops, Temporal
 * last.
 * @throws UserError where something cannot be had; then all is stopped again
 */
export const startAll = async ({
  config,
  place,
  host,
  port,
  dataDir,
  env,
  log,
}: StartOptions): Promise<{ stop: () => Promise<void>; lost?: Promise<UserError> }> => {
  const undo = createUndo(log);
  const { writeKey } = config.sources[0]!;
  try {
    // A busy port is told before Temporal is, perhaps for minutes, got and started.
    const door = await createDoor({ host, port });
    undo.add(door.close);
    let sandboxUrl: string | undefined;
    if (config.sandbox !== undefined) {
      const { webhookSecret } = config.sandbox;
      const sandbox = await createSandbox({
        host: '127.0.0.1',
        port: config.sandbox.port,
        log,
        ...(webhookSecret !== undefined && { webhookSecret }),
        firstEvent: firstEvent(door.url, writeKey),
      });
      undo.add(sandbox.close);
      sandboxUrl = sandbox.url;
    }
    let target: TemporalTarget;
    let embedded: EmbeddedTemporal | undefined;
    if (isTemporalGiven(env)) {
      target = temporalTarget(env);
    } else {
      const lock = lockDataDir(isAbsolute(dataDir) ? dataDir : resolve(dataDir));
      undo.add(lock.release);
      const { path } = await findTemporalProgram({ env, log });
      embedded = await startEmbedded({
        program: path,
        dataDir: lock.path,
        ui: true,
        codecEndpoint: `${hereUrl(door.url)}/codec`,
        env,
        log,
      });
      undo.add(embedded.stop);
      target = { address: embedded.address, namespace: 'default' };
    }
    const service = await startService(
      config,
      {
        api: { host, port, door, uiUrl: embedded?.uiUrl },
        workflows: true,
        destinations: config.destinations,
      },
      target,
      log,
      embedded?.ailments,
    );
    undo.add(service.stop);
    process.stdout.write(
      welcome({
        place,
        url: service.url!,
        writeKey,
        uiUrl: embedded?.uiUrl,
        sandboxUrl,
      }),
    );
    return { stop: undo.all, ...(embedded !== undefined && { lost: embedded.lost }) };
  } catch (error) {
    await undo.all();
    throw error;
  }
};
