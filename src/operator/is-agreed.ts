import { createInterface } from 'node:readline/promises';
import { UserError } from '../user-error.ts';

/**
 * Asks the operator; the question goes to stderr. Ctrl-C and the end of the input are a no.
 * @throws UserError where no terminal is there to ask on
 */
export const isAgreed = async (question: string): Promise<boolean> => {
  if (!process.stdin.isTTY) {
    throw new UserError(
      'Nobody can be asked, as this is no terminal: say --yes. Nothing was changed.',
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const gone = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
  terminal.once('SIGINT', () => terminal.close());
  try {
    const answer = await Promise.race([terminal.question(`${question} [y/N] `), gone]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
};
