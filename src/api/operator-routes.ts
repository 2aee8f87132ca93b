import { isGrpcServiceError } from '@temporalio/client';
import type { Request, Router } from 'express';
import { CannotOpen } from '../encryption.ts';
import { UserError } from '../user-error.ts';
import { Refused } from './errors.ts';
import { isOperator } from './operator-token.ts';
import { addRoute } from './route.ts';

/** What is answered of an event: none, where it was not found; `searched` says where, in words. */
interface Explanation {
  events: readonly object[];
  searched: string;
}

export interface OperatorDeps {
  /** What operators send as `Authorization: Bearer`. */
  token: string;
  /**
   * @param over ends the search, by throwing
   * @throws UserError where the question says too little, too much, or no time; CannotOpen where a key is
   * gone
   */
  explain: (
    question: { messageId: string; batch?: string | undefined; around?: string | undefined },
    over: AbortSignal,
  ) => Promise<Explanation>;
}

/** Each reads up to thousands of batches, in a process that takes events. */
const mostAtOnce = 2;
const retryAfterSeconds = '5';

const parameters = ['messageId', 'batch', 'around'] as const;

/** @throws Refused where a parameter is unknown, comes twice, or is too long to be meant */
const readQuestion = ({ url }: Request) => {
  const given = new URL(url, 'http://x').searchParams;
  for (const name of given.keys()) {
    if (!parameters.some((known) => known === name)) {
      throw new Refused('invalid_query', `The query takes ${parameters.join(', ')} alone`);
    }
    if (given.getAll(name).length > 1) throw new Refused('invalid_query', `${name} is there twice`);
    if (given.get(name)!.length > 1_000) throw new Refused('invalid_query', `${name} is too long`);
  }
  const [messageId, batch, around] = parameters.map((name) => given.get(name) ?? undefined);
  if (messageId === undefined) throw new Refused('invalid_query', 'messageId: is missing');
  return { messageId, batch, around };
};

/** Adds what operators alone may ask. */
export const addOperatorRoutes = (router: Router, { token, explain }: OperatorDeps): void => {
  let running = 0;
  addRoute(router, 'get', ['/v1/operator/explain'], async (request, response) => {
    response.set('Cache-Control', 'no-store');
    if (!isOperator(request.headers.authorization, token)) throw new Refused('no_operator_token');
    const question = readQuestion(request);
    if (running >= mostAtOnce) {
      response.set('Retry-After', retryAfterSeconds);
      throw new Refused('too_many_searches');
    }
    const over = new AbortController();
    response.once('close', () => over.abort(new Refused('request_aborted')));
    running += 1;
    try {
      const { events, searched } = await explain(question, over.signal);
      if (events.length === 0) throw new Refused('event_not_found', searched);
      response.json({ events, searched });
    } catch (error) {
      if (error instanceof CannotOpen) throw new Refused('cannot_open', error.message);
      if (error instanceof UserError) throw new Refused('invalid_query', error.message);
      if (!isGrpcServiceError(error)) throw error;
      response.set('Retry-After', retryAfterSeconds);
      throw new Refused('temporal_unavailable');
    } finally {
      running -= 1;
    }
  });
};
