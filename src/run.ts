import type { Logger } from './log.ts';
import type { UserError } from './user-error.ts';

/** Something that runs until it is stopped. */
interface Running {
  stop: () => Promise<void>;
  /** Resolves, with what to tell the user, when it cannot go on. */
  lost?: Promise<UserError>;
}

const signals = ['SIGINT', 'SIGTERM'] as const;
const killedBySignal = 130;
/** One Ctrl-C may come twice: from the terminal, and from npm, which relays its own. */
const relayMs = 1_000;
const longMs = 3_600_000;

/**
 * Runs something until SIGINT or SIGTERM, then stops it orderly and ends the process. A second
 * signal ends the process at once; nothing durable is lost by it.
 * @throws UserError what `start` throws, and what stopped it by itself, once all else is stopped
 */
export const runUntilSignal = async (start: () => Promise<Running>, log: Logger): Promise<void> => {
  let told: (signal: string) => void;
  const asked = new Promise<string>((resolve) => (told = resolve));
  let first: number | undefined;
  for (const signal of signals) {
    process.on(signal, () => {
      if (first !== undefined) {
        if (performance.now() - first > relayMs) process.exit(killedBySignal);
        return;
      }
      first = performance.now();
      log.info({ signal }, 'stopping; once more ends it at once');
      told(signal);
    });
  }
  // What is stopped last may hold the process open no longer than it runs itself.
  setInterval(() => undefined, longMs);
  // Asked while it starts: it starts first, so that there is something whole to stop.
  const running = await start();
  const reason = await Promise.race([asked, ...(running.lost === undefined ? [] : [running.lost])]);
  await running.stop();
  if (typeof reason !== 'string') throw reason;
  log.info('stopped');
  process.exit(0);
};
