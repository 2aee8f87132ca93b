import type { ErrorRequestHandler } from 'express';
import type { Logger } from '../log.ts';
import { Overloaded } from './coalescer.ts';
import { apiErrors, Refused, type ErrorCode } from './errors.ts';
import { routeOf } from './route.ts';
import { BatchTooLarge } from './start-batch.ts';

/** Express' own complaints about a request, such as a path that cannot be decoded, have a status. */
const isClientError = (error: unknown): boolean =>
  error instanceof Error && 'status' in error && error.status === 400;

/** Answers what a handler threw: a JSON object with a code and words, whatever it was. */
export const answerErrors =
  (log: Logger): ErrorRequestHandler =>
  (error: unknown, request, response, next) => {
    const answer = (status: number, code: ErrorCode, message: string, more: object = {}) => {
      // Who read the body gave up on it; what is left is not waited for.
      if (request.readableFlowing === true && !request.complete) {
        response.set('Connection', 'close');
      }
      response.status(status).json({ code, message, ...more });
    };
    if (response.headersSent) {
      next(error);
    } else if (error instanceof Refused) {
      const { code, message, rejected } = error;
      log.debug({ route: routeOf(response.locals), code }, 'request refused');
      answer(apiErrors[code].status, code, message, rejected && { rejected });
    } else if (error instanceof Overloaded) {
      const { status, message, retryAfterSeconds } = error;
      // SDKs read whole seconds only.
      const seconds = String(Math.max(1, Math.ceil(retryAfterSeconds)));
      response.set('Retry-After', seconds);
      if (status === 429) response.set('X-RateLimit-Reset', seconds); // as Segment; older SDKs read it
      answer(status, status === 429 ? 'rate_limited' : 'overloaded', message);
    } else if (error instanceof BatchTooLarge) {
      answer(400, 'request_too_large', 'The events are more than one batch can hold, compressed');
    } else if (isClientError(error)) {
      answer(400, 'bad_request', 'The path cannot be decoded');
    } else {
      log.error({ err: error, route: routeOf(response.locals) }, 'request failed');
      answer(500, 'internal', apiErrors.internal.message);
    }
  };
