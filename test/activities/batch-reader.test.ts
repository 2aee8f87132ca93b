import { expect, jest, test } from '@jest/globals';
import { createBatchReader } from '../../src/activities/batch-reader.ts';
import { encodeEvents, type SourceEvents } from '../../src/temporal/events-encoding.ts';
import { trackEvent } from '../support/events.ts';

const run = (runId: string) => ({ workflowId: `batch-${runId}`, runId });
const partsOf = (id: string): SourceEvents[] => {
  const event = trackEvent({ messageId: id });
  return [{ source: 'website', events: [{ event, json: JSON.stringify(event) }] }];
};
const textBytes = JSON.stringify(trackEvent({ messageId: 'a' })).length;

/** A reader of batches that each hold one event, named as its run; Temporal's answers are counted. */
const open = (keptBytes: number) => {
  const getWorkflowExecutionHistory = jest.fn(
    async ({ execution }: { execution: { runId: string } }) => ({
      history: {
        events: [
          {
            workflowExecutionStartedEventAttributes: {
              input: {
                payloads: [{}, { data: (await encodeEvents(partsOf(execution.runId), [])).bytes }],
              },
            },
          },
        ],
      },
    }),
  );
  const reader = createBatchReader({
    workflowService: { getWorkflowExecutionHistory } as never,
    namespace: 'default',
    keys: [],
    keptBytes,
  });
  return {
    reader,
    read: async (runId: string) =>
      (await reader.read(run(runId))).map(({ source, event }) => `${source}/${event.messageId}`),
    asked: () => getWorkflowExecutionHistory.mock.calls.map(([{ execution }]) => execution.runId),
  };
};

test('a batch that was kept is not asked for, and reads as one that was', async () => {
  const { reader, read, asked } = open(1_000_000);
  reader.keep(run('a'), partsOf('a'));
  const kept = await reader.read(run('a'));
  expect(await read('a')).toEqual(['website/a']);
  expect(asked()).toEqual([]);
  expect(kept).toEqual(await open(0).reader.read(run('a')));
});

test('what was used longest ago goes first, kept or read', async () => {
  const { reader, read, asked } = open(2.5 * textBytes);
  reader.keep(run('a'), partsOf('a'));
  await read('b');
  await read('a');
  reader.keep(run('c'), partsOf('c'));
  expect(asked()).toEqual(['b']);
  await read('a');
  await read('c');
  expect(asked()).toEqual(['b']);
  await read('b');
  expect(asked()).toEqual(['b', 'b']);
});

test('what is kept stays within its bound', async () => {
  const { reader, read, asked } = open(1.5 * textBytes);
  for (const id of ['a', 'b', 'c']) reader.keep(run(id), partsOf(id));
  for (const id of ['c', 'a', 'b']) await read(id);
  expect(asked()).toEqual(['a', 'b']);
});
