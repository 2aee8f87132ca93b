import type { DataConverter, PayloadCodec } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { UserError } from '../user-error.ts';
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

/** A codec that keeps what it could not decode for: to the SDK that is a failure like any other. */
const remembering = (codec: PayloadCodec, keep: (error: unknown) => void): PayloadCodec => ({
  encode: (payloads) => codec.encode(payloads),
  decode: async (payloads) => {
    try {
      return await codec.decode(payloads);
    } catch (error) {
      keep(error);
      throw error;
    }
  },
});

/**
 * Runs the workflow of this build through histories, as a worker does that takes a batch over.
 * @param workflowBundle the file that `npm run build` made
 * @throws UserError at a history that cannot be decoded: whether it diverges cannot be known
 */
export const replayHistories = async function* (
  workflowBundle: string,
  dataConverter: DataConverter,
  histories: Iterable<NamedHistory> | AsyncIterable<NamedHistory>,
): AsyncGenerator<Replayed> {
  const named = (async function* () {
    for await (const { name, history } of histories) yield { workflowId: name, history };
  })();
  let undecodable: Error | undefined;
  const payloadCodecs = dataConverter.payloadCodecs?.map((codec) =>
    remembering(codec, (error) => (undecodable ??= error as Error)),
  );
  const results = Worker.runReplayHistories(
    {
      workflowBundle: { codePath: workflowBundle },
      dataConverter: { ...dataConverter, ...(payloadCodecs !== undefined && { payloadCodecs }) },
    },
    named,
  );
  for await (const { workflowId, error } of results) {
    if (undecodable !== undefined) {
      throw new UserError(`${workflowId} cannot be read. ${undecodable.message}`);
    }
    yield {
      name: workflowId,
      ...(error !== undefined && { divergence: wordsOf(error) }),
    };
  }
};
