import { pino, type Logger } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { UserError } from './user-error.ts';

export type { Logger } from 'pino';

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * A log on standard error; standard output belongs to the commands' answers.
 * @param level pino's, from `LOG_LEVEL`
 * @param forPeople lines to read; else JSON, one object a line
 * @throws UserError for a level that there is not
 */
export const createLog = (level = 'info', forPeople = false): Logger => {
  if (!levels.includes(level)) {
    throw new UserError(`LOG_LEVEL is ${level}; it has to be one of ${levels.join(', ')}.`);
  }
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: pino.stdSerializers.err }, // the SDK's name for it, beside pino's own `err`
    },
    forPeople
      ? PinoPretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss' })
      : pino.destination({ dest: 2, sync: true }),
  );
};
