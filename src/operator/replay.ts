import type { DataConverter } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import type { NamedHistory } from './history-file.ts';

/** What became of one history. */
export interface Replayed {
  name: string;
  /** Where this build's workflow does otherwise than the history tells, in words; absent: it does not. */
  divergence?: string;
}

/** The SDK's account is a debug print of its inside: the words are in the failure's message. */
const wordsOf = ({ message }: Error): string => {
  const failure = /Failure \{ message: "((?:[^"\\]|\\.)*)"/.exec(message)?.[1] ?? message;
  return failure.replace(/^\[TMPRL\d+\] /, '').replace(/^Nondeterminism error: /, '');
};

/**
 * Runs the workflow of this build through histories, as a worker does that takes a batch over.
 * @param workflowBundle the file that `npm run build` made
 */
export const replayHistories = async function* (
  workflowBundle: string,
  dataConverter: DataConverter,
  histories: Iterable<NamedHistory> | AsyncIterable<NamedHistory>,
): AsyncGenerator<Replayed> {
  const named = (async function* () {
    for await (const { name, history } of histories) yield { workflowId: name, history };
  })();
  const results = Worker.runReplayHistories(
    { workflowBundle: { codePath: workflowBundle }, dataConverter },
    named,
  );
  for await (const { workflowId, error } of results) {
    yield {
      name: workflowId,
      ...(error !== undefined && { divergence: wordsOf(error) }),
    };
  }
};
