import type { z } from 'zod';

/** A zod error's first issue with its place: `groupId: must be a non-empty string`. */
export const wordsOf = (error: z.ZodError): string => {
  const [issue] = error.issues;
  if (issue === undefined) return 'is not valid';
  const place = issue.path.map(String).join('.');
  return place === '' ? issue.message : `${place}: ${issue.message}`;
};
