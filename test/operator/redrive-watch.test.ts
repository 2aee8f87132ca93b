import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { redriveId, redriveWorkflow } from '../../src/delivery.ts';
import { watchRedrive } from '../../src/operator/redrive-watch.ts';
import { testAddress, uniqueName } from '../support/temporal.ts';

let connection: Connection;
let client: Client;
beforeAll(async () => {
  connection = await Connection.connect({ address: testAddress() });
  client = new Client({ connection });
});
afterAll(() => connection.close());

/** A redrive that no worker answers for. */
const startUnattended = async (destination: string) =>
  client.workflow.start(redriveWorkflow, {
    workflowId: redriveId(destination),
    taskQueue: uniqueName(),
  });
const watch = (destination: string, silentMs?: number) => {
  const screen = { isTerminal: false, write: () => undefined };
  const never = new AbortController().signal;
  return watchRedrive(client, destination, screen, never, silentMs);
};

test('the watching ends with a redrive that was terminated, whoever answers', async () => {
  const name = uniqueName();
  const redrive = await startUnattended(name);
  await redrive.terminate('of the test');
  expect(await watch(name)).toMatchObject({ status: 'TERMINATED', progress: undefined });
}, 30_000);

test('the watching ends once nobody has answered for long', async () => {
  const name = uniqueName();
  const redrive = await startUnattended(name);
  expect(await watch(name, 1_000)).toEqual({
    status: 'RUNNING',
    progress: undefined,
    isSilent: true,
  });
  await redrive.terminate('of the test');
}, 30_000);
