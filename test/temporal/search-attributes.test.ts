import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { NativeConnection } from '@temporalio/worker';
import { connect } from '../../src/temporal/connect.ts';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes.ts';
import { eventually } from '../support/eventually.ts';
import { failure } from '../support/failure.ts';
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

test('is one call where all are there', async () => {
  const calls: string[] = [];
  const counted = {
    operatorService: new Proxy(connection.operatorService, {
      get: (service, name: 'listSearchAttributes') => {
        calls.push(name);
        return service[name].bind(service);
      },
    }),
    workflowService: new Proxy(connection.workflowService, {
      get: () => expect('another call').toBe('none'),
    }),
    withDeadline: connection.withDeadline.bind(connection),
  };
  await ensureSearchAttributes(counted, 'default');
  expect(calls).toEqual(['listSearchAttributes']);
});

test('asks for what it cannot do: a type that differs', async () => {
  const namespace = await newNamespace();
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: { RejectedEvents: 2 as never } /* Keyword */,
  });
  const message = await failure(ensureSearchAttributes(connection, namespace));
  expect(message).toContain('RejectedEvents');
  expect(message).toContain('is of type Keyword; it has to be Int');
  expect(message).toContain(
    `temporal operator search-attribute create --namespace ${namespace} --name RejectedEvents --type Int`,
  );
});

test('asks for what it cannot do: no room for another list', async () => {
  const namespace = await newNamespace();
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: { Theirs: 7 as never } /* KeywordList */,
  });
  const message = await failure(ensureSearchAttributes(connection, namespace));
  expect(message).toContain('cannot have more than 3');
  expect(message).toMatch(
    /search-attribute create --namespace \S+ --name Sources --type KeywordList --name Destinations --type KeywordList/,
  );
});

/** A Temporal that keeps the operator's calls to itself, as Temporal Cloud does. */
const withoutOperator = () => ({
  operatorService: {
    listSearchAttributes: () =>
      Promise.reject(
        Object.assign(new Error('Request unauthorized.'), { code: 7, details: '', metadata: {} }),
      ),
  } as unknown as NativeConnection['operatorService'],
  workflowService: connection.workflowService,
  withDeadline: connection.withDeadline.bind(connection),
});

test('asks for what it may not do', async () => {
  const message = await failure(ensureSearchAttributes(withoutOperator(), await newNamespace()));
  expect(message).toContain('Request unauthorized.');
  expect(message).toContain('--name StuckDestinations --type KeywordList');
});

test('needs no leave where all are there', async () => {
  await expect(ensureSearchAttributes(withoutOperator(), 'default')).resolves.toBe(undefined);
});

test('says that a namespace is missing, and how to make it', async () => {
  expect(await failure(ensureSearchAttributes(connection, 'nowhere'))).toMatch(
    /no namespace nowhere.*TEMPORAL_NAMESPACE.*\n.*namespace create --namespace nowhere/,
  );
});
