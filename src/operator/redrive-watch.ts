import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { progressQuery, redriveId, type RedriveProgress } from '../delivery.ts';
import { CannotOpen } from '../encryption.ts';

/** Where progress is shown. */
export interface Screen {
  /** Whether a line can be written over. */
  isTerminal: boolean;
  write: (text: string) => void;
}

/** How a redrive stood when it was last looked at. */
export interface Watched {
  /** Temporal's word: RUNNING where the watching ended before it, `isSilent` where nobody answered. */
  status: string;
  /** Undefined where nobody has answered. */
  progress: RedriveProgress | undefined;
  isSilent?: boolean;
}

const lookEveryMs = 500;
const lineEveryMs = 5_000;
const answerMs = 5_000;
/** A process that starts again has answered by then. */
const patienceMs = 60_000;
const barLength = 24;

const share = ({ done, ended, failed, left }: RedriveProgress): number => {
  const gone = done + ended + failed;
  return left === 0 ? 1 : gone / (gone + left);
};

/** Done, failed and left, with what else is to say. */
export const progressWords = (progress: RedriveProgress): string => {
  const { done, failed, left, hurried, ended, state, perSecond } = progress;
  const pace = perSecond >= 1 ? `${perSecond}/s` : `${Math.round(perSecond * 3_600)}/h`;
  return [
    `done ${done}, failed ${failed}, left ${left}`,
    ...(hurried > 0 ? [`deliveries hurried: ${hurried}`] : []),
    ...(ended > 0 ? [`ended by themselves: ${ended}`] : []),
    ...(state === 'finished' ? [] : [state === 'paused' ? 'paused' : `at most ${pace}`]),
  ].join('; ');
};

const bar = (progress: RedriveProgress): string => {
  const full = Math.floor(share(progress) * barLength);
  return `[${'#'.repeat(full)}${'.'.repeat(barLength - full)}] ${Math.floor(share(progress) * 100)} %  ${progressWords(progress)}`;
};

const unlessKeyMissing = (error: unknown): undefined => {
  if (error instanceof CannotOpen) throw error;
};

/**
 * How a destination's last redrive stands; undefined where there has been none.
 * @throws CannotOpen where a key is missing
 */
export const lookAtRedrive = async (
  client: Client,
  destination: string,
): Promise<Watched | undefined> => {
  const redrive = client.workflow.getHandle(redriveId(destination));
  let status: string;
  try {
    ({
      status: { name: status },
    } = await redrive.describe());
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
  // A result is there without anybody who answers.
  const ask = (): Promise<RedriveProgress> =>
    status === 'COMPLETED' ? redrive.result() : redrive.query<RedriveProgress>(progressQuery);
  const progress = await client.withDeadline(Date.now() + answerMs, ask).catch(unlessKeyMissing); // whoever runs it may be starting again
  return { status, progress };
};

/**
 * Shows how a redrive goes on, until it ends, `over` is aborted, or nobody has answered for so long.
 * @param silentMs the longest without an answer, in ms
 * @returns how it stood last
 * @throws CannotOpen where a key is missing
 */
export const watchRedrive = async (
  client: Client,
  destination: string,
  screen: Screen,
  over: AbortSignal,
  silentMs = patienceMs,
): Promise<Watched> => {
  let last: Watched = { status: 'RUNNING', progress: undefined };
  let answeredAt = performance.now();
  let shownAt = -Infinity;
  let shown = '';
  const show = (): void => {
    const words =
      last.progress === undefined ? 'no process answers for it yet' : bar(last.progress);
    if (screen.isTerminal) {
      screen.write(`\r\u001b[2K${words}`);
    } else if (words !== shown && performance.now() - shownAt >= lineEveryMs) {
      shownAt = performance.now();
      screen.write(`${words}\n`);
    } else {
      return;
    }
    shown = words;
  };
  const aborted = new Promise<'aborted'>((resolve) =>
    over.addEventListener('abort', () => resolve('aborted'), { once: true }),
  );
  while (!over.aborted) {
    const looked = await Promise.race([
      aborted,
      lookAtRedrive(client, destination).catch(unlessKeyMissing), // an outage ends no redrive
    ]);
    if (looked === 'aborted') break;
    if (looked !== undefined) {
      const isAnswered = looked.progress !== undefined;
      if (isAnswered) answeredAt = performance.now();
      last = isAnswered ? looked : { ...looked, progress: last.progress };
      if (looked.status !== 'RUNNING') break;
    }
    if (performance.now() - answeredAt >= silentMs) {
      last = { ...last, isSilent: true };
      break;
    }
    show();
    await sleep(lookEveryMs, undefined, { signal: over }).catch(() => undefined);
  }
  if (screen.isTerminal && shown !== '') screen.write('\r\u001b[2K');
  return last;
};
