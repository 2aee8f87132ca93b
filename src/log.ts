import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/**
 * JSON lines on standard error; standard output belongs to the commands' answers.
 * @param level pino's, from `LOG_LEVEL`
 */
export const createLog = (level = 'info'): Logger =>
  pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
