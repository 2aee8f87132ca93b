import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import { UserError } from '../user-error.ts';
import type { Server } from './server-process.ts';

const triesAtMost = 5;
/** A server that has lived for so long is sound: its death is a new matter. */
const soundAfterMs = 60_000;

/**
 * Restarts a server whenever it ends by itself, with growing delays, a few times in a row.
 * @param restart starts it on the same ports
 * @param delayMs before the second restart in a row; it doubles from one to the next
 * @returns what to tell the user once it is lost; undefined once `signal` is aborted
 */
export const keepRunning = async (
  first: Server,
  restart: () => Promise<Server>,
  signal: AbortSignal,
  log: Logger,
  delayMs = 500,
): Promise<UserError | undefined> => {
  const isUnwanted = () => signal.aborted;
  let server: Server | undefined = first;
  let since = performance.now();
  let reason = '';
  for (let tries = 0; ; tries++) {
    if (server !== undefined) {
      reason = await server.ended;
      if (isUnwanted()) return undefined;
      if (performance.now() - since > soundAfterMs) tries = 0;
      log.error({ pid: server.pid, reason }, 'the Temporal server has ended; it is restarted');
    }
    if (tries === triesAtMost) {
      return new UserError(
        `The embedded Temporal server has ended and does not stay up: ${reason}`,
      );
    }
    if (tries > 0) {
      await sleep(delayMs * 2 ** (tries - 1), undefined, { signal }).catch(() => undefined);
    }
    if (isUnwanted()) return undefined;
    try {
      server = await restart();
      since = performance.now();
      log.info({ pid: server.pid }, 'the Temporal server runs again');
    } catch (error) {
      server = undefined;
      reason = (error as Error).message;
      if (!isUnwanted()) log.error({ reason }, 'the Temporal server could not be restarted');
    }
  }
};
