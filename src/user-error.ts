/**
 * A mistake that the person at the keyboard can mend: the command prints the message alone, without
 * a stack, and ends with exit code 2. The message names the place and the remedy.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
}
