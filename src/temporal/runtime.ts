import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Logger } from '../log.ts';

/** Failures by which a delivery asks to be tried again: they are our own words, and in its history. */
const expectedFailures = new Set(['Unsettled', 'Crowded', 'Drained']);

/**
 * Each of our workers has either workflows or activities, on purpose; and a batch may well be larger
 * than the size of payloads at which the SDK begins to warn.
 */
const expectedWords = /^No (activities|workflows) registered|TMPRL1103/;

/**
 * Sets the SDK's one runtime up, before anything else of it is used: its log goes into ours, and
 * signals are left to us, for by itself it would swallow them.
 */
export const installRuntime = (log: Logger): void => {
  const sdkLog = log.child({ part: 'temporal-sdk' });
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      const failure = (meta?.['error'] as { type?: string } | undefined)?.type;
      if (failure !== undefined && expectedFailures.has(failure)) return;
      if (expectedWords.test(message)) return;
      sdkLog[level === 'ERROR' ? 'error' : 'warn']({ ...meta }, message);
    }),
    telemetryOptions: {
      logging: {
        forward: {},
        filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }),
      },
    },
  });
};
