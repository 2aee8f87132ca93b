import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { searchAttributes } from '../delivery.ts';
import { UserError } from '../user-error.ts';

/** The types by their number: https://github.com/temporalio/api/blob/v1.53.0/temporal/api/enums/v1/common.proto */
const typeNames = [
  'Unspecified',
  'Text',
  'Keyword',
  'Int',
  'Double',
  'Bool',
  'Datetime',
  'KeywordList',
];

/** gRPC's status codes. */
const [invalidArgument, notFound, alreadyExists, permissionDenied, unimplemented, unauthenticated] =
  [3, 5, 6, 7, 12, 16];

const callLimitMs = 10_000;
/** A cluster's nodes may take a minute to learn of a new search attribute. */
const acceptanceLimitMs = 90_000;
const pauseMs = 250;

type Services = Pick<NativeConnection, 'operatorService' | 'workflowService' | 'withDeadline'>;

const codeOf = (error: unknown): number => (isGrpcServiceError(error) ? error.code : 0);
const reasonOf = (error: unknown): string => (error as Error).message;

const isRefusal = (error: unknown): boolean =>
  [permissionDenied, unimplemented, unauthenticated].includes(codeOf(error));

/** What an operator has to run, in full. */
const creation = (namespace: string, names: readonly string[]): string =>
  [
    `temporal operator search-attribute create --namespace ${namespace}`,
    ...names.map(
      (name) => `--name ${name} --type ${searchAttributes[name as keyof typeof searchAttributes]}`,
    ),
  ].join(' ');

/**
 * Sees to it that a namespace has the search attributes that batches are started with: registers
 * those that are missing, and waits until a start would be accepted. Where all are there it is one
 * call.
 * @throws UserError with the command that does it, where we may not or cannot
 */
export const ensureSearchAttributes = async (
  connection: Services,
  namespace: string,
): Promise<void> => {
  const { operatorService, workflowService } = connection;
  const call = <T>(request: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + callLimitMs, request);
  const names = Object.keys(searchAttributes);

  /** Whether the server knows all names: a query is checked by what a start is checked by. */
  const areAccepted = async (): Promise<boolean> => {
    try {
      const query = names.map((name) => `${name} IS NULL`).join(' AND ');
      await call(() => workflowService.countWorkflowExecutions({ namespace, query }));
      return true;
    } catch (error) {
      if (codeOf(error) === invalidArgument) return false;
      throw error;
    }
  };
  const ask = (reason: string, missing: readonly string[]) =>
    new UserError(
      `The namespace ${namespace} lacks search attributes, which cannot be added from here (${reason}). Run\n` +
        `  ${creation(namespace, missing)}\n` +
        "or, on Temporal Cloud, add them in the namespace's settings.",
    );

  let types: Map<string, string | undefined>;
  try {
    const { customAttributes } = await call(() =>
      operatorService.listSearchAttributes({ namespace }),
    );
    types = new Map(
      Object.entries(customAttributes).map(([name, type]) => [name, typeNames[type]]),
    );
  } catch (error) {
    if (codeOf(error) === notFound) {
      throw new UserError(
        `Temporal has no namespace ${namespace}. Correct TEMPORAL_NAMESPACE, or run\n` +
          `  temporal operator namespace create --namespace ${namespace}`,
      );
    }
    if (!isRefusal(error)) throw error;
    // Temporal Cloud keeps the operator's calls to itself, but answers queries.
    if (await areAccepted()) return;
    throw ask(reasonOf(error), names);
  }

  for (const [name, type] of Object.entries(searchAttributes)) {
    const found = types.get(name);
    if (types.has(name) && found !== type) {
      throw new UserError(
        `The search attribute ${name} of namespace ${namespace} is of type ${String(found)}; it has to be ${type}. ` +
          'Give Distributary a namespace of its own (TEMPORAL_NAMESPACE); or, where nothing needs it, run\n' +
          `  temporal operator search-attribute remove --namespace ${namespace} --name ${name}\n` +
          `  ${creation(namespace, [name])}`,
      );
    }
  }
  const missing = names.filter((name) => !types.has(name));
  if (missing.length === 0) return;
  try {
    await call(() =>
      operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(
          missing.map((name) => [
            name,
            typeNames.indexOf(searchAttributes[name as keyof typeof searchAttributes]),
          ]),
        ),
      }),
    );
  } catch (error) {
    const code = codeOf(error);
    // Another process of ours may have been quicker.
    if (code !== alreadyExists) {
      if (!isRefusal(error) && code !== invalidArgument) throw error;
      throw ask(reasonOf(error), missing);
    }
  }
  const end = performance.now() + acceptanceLimitMs;
  while (!(await areAccepted())) {
    if (performance.now() > end) {
      throw new UserError(
        `The namespace ${namespace} was given the search attributes ${missing.join(', ')}, ` +
          `but does not take them after ${acceptanceLimitMs / 1_000} s. Look at Temporal's log, and start again.`,
      );
    }
    await sleep(pauseMs);
  }
};
