import { hash, timingSafeEqual } from 'node:crypto';

/**
 * Whether two texts are the same, in a time that tells nothing of where they differ, nor how long the
 * expected one is.
 */
export const isSameSecret = (given: string, expected: string): boolean =>
  timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', expected, 'buffer'));

/** Whether an `Authorization` header carries the operator token; never where none is configured. */
export const isOperator = (
  authorization: string | undefined,
  token: string | undefined,
): boolean => {
  const given = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  return given !== undefined && token !== undefined && isSameSecret(given, token);
};
