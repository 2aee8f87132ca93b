import { setTimeout as sleep } from 'node:timers/promises';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import { UserError } from '../user-error.ts';

/** Which Temporal to use, and how to be let in. */
export interface TemporalTarget extends Pick<
  NativeConnectionOptions,
  'tls' | 'apiKey' | 'metadata'
> {
  /** Host and port. */
  address: string;
  namespace: string;
}

const pauseMs = 500;

/** Whether the environment names a Temporal to use. */
export const isTemporalGiven = (env: NodeJS.ProcessEnv): boolean =>
  (env['TEMPORAL_ADDRESS'] ?? '') !== '';

/**
 * The Temporal that the environment names by the variables that all of Temporal's own tools read,
 * and the file that they read: https://docs.temporal.io/develop/environment-configuration.
 * @throws UserError where they contradict themselves or name what cannot be read
 */
export const temporalTarget = (env: NodeJS.ProcessEnv): TemporalTarget => {
  const given = Object.entries(env).filter(([, value]) => value !== undefined && value !== '');
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig({
      overrideEnvVars: Object.fromEntries(given) as Record<string, string>,
    });
    const { address, tls, apiKey, metadata } = connectionOptions;
    return {
      address: address ?? 'localhost:7233',
      namespace: namespace ?? 'default',
      ...(tls !== undefined && { tls }),
      ...(apiKey !== undefined && { apiKey }),
      ...(metadata !== undefined && { metadata }),
    };
  } catch (error) {
    const [reason] = (error as Error).message.split('\n'); // further lines quote the file, and its secrets
    throw new UserError(
      `Temporal's settings, from TEMPORAL_… and its configuration file, cannot be read: ${String(reason)}`,
    );
  }
};

/** The SDK's account of a failure is a debug print of its inside: the innermost message says it. */
const reasonOf = (error: unknown, { apiKey }: TemporalTarget): string => {
  const { message } = error as Error;
  const innermost = [...message.matchAll(/(?:message|error): "((?:[^"\\]|\\.)*)"/g)].at(-1)?.[1];
  const reason = innermost ?? message;
  return apiKey === undefined || apiKey === '' ? reason : reason.replaceAll(apiKey, '***');
};

/** A gRPC status that no repetition mends, as the SDK words it. */
const isRefusal = (error: unknown): boolean =>
  /Unauthenticated|PermissionDenied|valid authentication credentials|permission to execute/.test(
    (error as Error).message,
  );

/**
 * Connects to Temporal; tries for a while, as it may be starting too.
 * @throws UserError where it does not answer or lets us not in; names no key
 */
export const connect = async (
  target: TemporalTarget,
  limitMs = 10_000,
): Promise<NativeConnection> => {
  const { address, tls, apiKey, metadata } = target;
  const end = performance.now() + limitMs;
  const timeLeft = () => Math.max(0, end - performance.now());
  for (;;) {
    const attempt = NativeConnection.connect({
      address,
      ...(tls !== undefined && { tls }),
      ...(apiKey !== undefined && { apiKey }),
      ...(metadata !== undefined && { metadata }),
      // Batches are compressed already: once more would double the price of each start and read.
      grpcCompression: { codec: 'none' },
    });
    const timeout = new AbortController();
    try {
      const connection = await Promise.race([
        attempt,
        sleep(timeLeft(), undefined, { signal: timeout.signal }),
      ]);
      if (connection !== undefined) return connection;
      void attempt.then(
        (late) => late.close(),
        () => undefined,
      );
      throw new Error(`no answer within ${limitMs / 1_000} s`);
    } catch (error) {
      const reason = reasonOf(error, target);
      if (isRefusal(error)) {
        throw new UserError(
          `Temporal at ${address} does not let us in (${reason}). ` +
            'Check TEMPORAL_API_KEY, TEMPORAL_NAMESPACE and the TEMPORAL_TLS_… variables.',
        );
      }
      if (timeLeft() < pauseMs || error instanceof TypeError) {
        throw new UserError(
          `There is no Temporal at ${address} (${reason}). ` +
            'Start it, or correct TEMPORAL_ADDRESS and the TEMPORAL_TLS_… variables.',
        );
      }
    } finally {
      timeout.abort();
    }
    await sleep(pauseMs);
  }
};
