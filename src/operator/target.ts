import { resolve } from 'node:path';
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { Option, type Command } from 'commander';
import type { Config } from '../config.ts';
import type { Logger } from '../log.ts';
import {
  connect,
  isTemporalGiven,
  temporalTarget,
  type TemporalTarget,
} from '../temporal/connect.ts';
import { createDataConverter } from '../temporal/data-converter.ts';
import { installRuntime } from '../temporal/runtime.ts';
import { runningServer } from '../temporal/server-place.ts';
import { UserError } from '../user-error.ts';

/** An operator's way to Temporal. */
export interface Operator {
  client: Client;
  connection: NativeConnection;
  namespace: string;
  close: () => Promise<void>;
}

/** Adds the option by which a command finds the Temporal of `distributary start`. */
export const withDataDir = (command: Command): Command =>
  command.addOption(
    new Option(
      '--data-dir <dir>',
      'data of the `distributary start` that is meant, unless TEMPORAL_ADDRESS is set',
    ).default('.distributary'),
  );

/**
 * The Temporal that the environment names, else the one that runs on this data directory: never another
 * that happens to be on this machine, where a command would act on somebody else's batches.
 * @throws UserError where there is neither
 */
const operatorTarget = (env: NodeJS.ProcessEnv, dataDir: string): TemporalTarget => {
  if (isTemporalGiven(env)) return temporalTarget(env);
  const { port } = runningServer(resolve(dataDir));
  if (port === undefined) {
    throw new UserError(
      `No \`distributary start\` runs with the data directory ${resolve(dataDir)}. ` +
        'Name its own with --data-dir DIR, or the Temporal that is meant with TEMPORAL_ADDRESS.',
    );
  }
  return { ...temporalTarget(env), address: `127.0.0.1:${port}` };
};

/**
 * Connects a command to the Temporal that holds the batches.
 * @throws UserError where it does not answer
 */
export const connectOperator = async (
  { encryptionKeys }: Config,
  env: NodeJS.ProcessEnv,
  dataDir: string,
  log: Logger,
): Promise<Operator> => {
  installRuntime(log);
  const target = operatorTarget(env, dataDir);
  const connection = await connect(target);
  const { namespace } = target;
  const dataConverter = createDataConverter(encryptionKeys);
  const client = new Client({ connection, namespace, dataConverter });
  return { client, connection, namespace, close: () => connection.close() };
};
