import { parseTime } from '../api/clock-skew.ts';
import { UserError } from '../user-error.ts';
import { timeInId } from './id-time.ts';

/** What is asked for: an event, and where it may be found. */
export interface Question {
  messageId: string;
  /** The id that a client was answered in `Distributary-Batch`. */
  batch?: string | undefined;
  /** About when it was accepted: ISO-8601, or `2h`, `2h ago`. */
  around?: string | undefined;
}

/** Where to look: in one batch, or among those that started about a time, in ms since the epoch. */
export type Where =
  | { by: 'batch'; batch: string }
  /** `around`: the asker says it; `id`: the messageId does. */
  | { by: 'around' | 'id'; at: number };

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const readAround = (text: string, now: number): number => {
  const ago = /^(\d+(?:\.\d+)?) ?(s|m|h|d)(?: ago)?$/.exec(text.trim());
  const at =
    ago === null
      ? parseTime(text.trim())
      : now - Number(ago[1]) * unitMs[ago[2] as keyof typeof unitMs];
  // What lies beyond has no ISO-8601 form that Temporal takes.
  if (at === undefined || at < 0 || at > now + unitMs.d) {
    throw new UserError(
      'The time to look around is ISO-8601, such as 2026-11-05T14:30:00Z (without a zone: UTC), ' +
        'or how long ago, such as 90s, 20m, 2h or 3d; and it has been.',
    );
  }
  return at;
};

/**
 * @param now ms since the epoch
 * @throws UserError where the question says too little, too much, or no time
 */
export const whereToLook = ({ messageId, batch, around }: Question, now: number): Where => {
  if (messageId === '') throw new UserError('Say which messageId.');
  if (batch !== undefined && around !== undefined) {
    throw new UserError('Name a batch or a time to look around, not both.');
  }
  if (batch !== undefined) {
    if (batch === '') throw new UserError('The name of the batch is empty.');
    return { by: 'batch', batch };
  }
  if (around !== undefined) return { by: 'around', at: readAround(around, now) };
  const at = timeInId(messageId, now);
  if (at === undefined) {
    throw new UserError(
      `The messageId ${JSON.stringify(messageId.slice(0, 100))} says no time, as those of analytics.js and ` +
        'analytics-node do: say about when it was accepted (--around 2h, or around=2h), or in ' +
        'which batch (--batch ID, or batch=ID; clients are answered it in Distributary-Batch).',
    );
  }
  return { by: 'id', at };
};
