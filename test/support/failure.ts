import { expect } from '@jest/globals';
import { UserError } from '../../src/user-error.ts';

/** What the user is told: it has to fail, with a mistake of the user's. */
export const failure = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
};
