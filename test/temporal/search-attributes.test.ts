import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ServiceError } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { connect } from '../../src/temporal/connect.ts';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes.ts';
import { UserError } from '../../src/user-error.ts';
import { eventually } from '../support/eventually.ts';
import { testAddress, uniqueName } from '../support/temporal.ts';

let connection: NativeConnection;
beforeAll(async () => {
  connection = await connect({ address: testAddress(), namespace: 'default' });
});
afterAll(() => connection.close());

/** A namespace of the test's own, without search attributes. */
const newNamespace = async (): Promise<string> => {
  const namespace = uniqueName();
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  await eventually(async () => {
    await connection.operatorService.listSearchAttributes({ namespace });
  });
  return namespace;
};

const failure = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
};

const list = { encoding: Buffer.from('json/plain'), type: Buffer.from('KeywordList') };

test('registers what is missing, and then a start takes them', async () => {
  const namespace = await newNamespace();
  await ensureSearchAttributes(connection, namespace);
  const value = { metadata: list, data: Buffer.from('["website"]') };
  const { started } = await connection.workflowService.startWorkflowExecution({
    namespace,
    workflowId: uniqueName(),
    workflowType: { name: 'none' },
    taskQueue: { name: uniqueName() },
    requestId: uniqueName(),
    searchAttributes: { indexedFields: { Sources: value, Destinations: value } },
  });
  expect(started).toBe(true);
});
