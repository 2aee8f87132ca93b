import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { progressQuery, redriveId, type RedriveProgress } from '../delivery.ts';

/** Where progress is shown. */
export interface Screen {
  /** Whether a line can be written over. */
  isTerminal: boolean;
  write: (text: string) => void;
}

/** How a redrive stood when it was last looked at. */
export interface Watched {
  /** Temporal's word: RUNNING where the watching ended before it. */
  status: string;
  /** Undefined where nobody has answered. */
  progress: RedriveProgress | undefined;
}

const lookEveryMs = 500;
const lineEveryMs = 5_000;
const answerMs = 5_000;
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

/** How a destination's last redrive stands; undefined where there has been none. */
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
  const progress = await client
    .withDeadline(Date.now() + answerMs, () => redrive.query<RedriveProgress>(progressQuery))
    .catch(() => undefined); // whoever runs it may be starting again
  return { status, progress };
};

/**
 * Shows how a redrive goes on, until it ends or `over` is aborted.
 * @returns how it stood last
 */
export const watchRedrive = async (
  client: Client,
  destination: string,
  screen: Screen,
  over: AbortSignal,
): Promise<Watched> => {
  let last: Watched = { status: 'RUNNING', progress: undefined };
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
      lookAtRedrive(client, destination).catch(() => undefined), // an outage ends no redrive
    ]);
    if (looked === 'aborted') break;
    if (looked !== undefined) {
      const isAnswered = looked.progress !== undefined;
      last = isAnswered ? looked : { ...looked, progress: last.progress };
      if (looked.status !== 'RUNNING' && isAnswered) break;
    }
    show();
    await sleep(lookEveryMs, undefined, { signal: over }).catch(() => undefined);
  }
  if (screen.isTerminal && shown !== '') screen.write('\r\u001b[2K');
  return last;
};
