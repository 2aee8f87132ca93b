import { readFileSync } from 'node:fs';
import { historyFromJSON, type History } from '@temporalio/common/lib/proto-utils.js';
import { z } from 'zod';
import { batchWorkflow, redriveWorkflow } from '../delivery.ts';

/** A history with what to call it by. */
export interface NamedHistory {
  name: string;
  history: History;
}

/** Of a history's JSON what is looked at before it is read as one. */
const Export = z.object({
  events: z
    .array(z.looseObject({ eventId: z.coerce.number() }))
    .min(1, 'has no events')
    .refine((events) => events.every(({ eventId }, n) => eventId === n + 1), {
      error: 'lacks events: their ids have to be 1, 2, 3, …, as in a whole history',
    }),
});

const codeWords: Record<string, string> = {
  ENOENT: 'is not there',
  EISDIR: 'is a directory; name the files in it',
  EACCES: 'may not be read by us',
};

/** One JSON document, or several one after another, as repeated exports into one file leave them. */
const documentsIn = (text: string): unknown[] => {
  try {
    return [JSON.parse(text)];
  } catch (error) {
    const parts = text.split(/(?<=^\})\s*(?=\{)|\n(?=\{)/m);
    if (parts.length === 1) throw error;
    return parts.map((part) => JSON.parse(part) as unknown);
  }
};

/** @throws Error with what is wrong, as the end of a sentence that begins with the file's name */
const historyOf = (document: unknown): History => {
  const parsed = Export.safeParse(document);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new Error(
      path.length === 1 && /has no|lacks/.test(message)
        ? message
        : 'is no history: it has to be as `temporal workflow show -o json` writes it',
    );
  }
  let history: History;
  try {
    history = historyFromJSON(document);
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new Error(
      `cannot be read as a history (${reason!.slice(0, 200)}); from the Web UI, download it encoded, not decoded`,
    );
  }
  const type = history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name;
  if (type !== batchWorkflow && type !== redriveWorkflow) {
    throw new Error(
      `is the history of ${type == null ? 'something else' : `a workflow ${type}`}, ` +
        `not of a batch or a redrive (${batchWorkflow}, ${redriveWorkflow})`,
    );
  }
  return history;
};

/**
 * Reads the histories in a file, as the `temporal` CLI and the Web UI export them.
 * @returns the histories, or what is wrong with the file, in words
 */
export const readHistoryFile = (file: string): NamedHistory[] | string => {
  try {
    const documents = documentsIn(readFileSync(file, 'utf8'));
    return documents.map((document, n) => ({
      name: documents.length === 1 ? file : `${file} (${n + 1})`,
      history: historyOf(document),
    }));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof SyntaxError)
      return `${file} is not JSON (${message.replace(/\s+/g, ' ').slice(0, 200)}).`;
    return `${file} ${code === undefined ? message : (codeWords[code] ?? message)}.`;
  }
};
