import type { RequestHandler, Router } from 'express';
import { Refused } from './errors.ts';

const templateKey = 'route';

/** Names the path in figures: one name for all its spellings, none of a client's making. */
const named =
  (template: string): RequestHandler =>
  (_request, response, next) => {
    response.locals[templateKey] = template;
    next();
  };

/** The template of the route that answers; `other` where there is none. */
export const routeOf = (locals: Record<string, unknown>): string => {
  const template = locals[templateKey];
  return typeof template === 'string' ? template : 'other';
};

/**
 * Adds a route that takes one method (GET takes HEAD with it), and answers 405 to the others.
 * @param paths its spellings; the first names it in figures
 */
export const addRoute = (
  router: Router,
  method: 'get' | 'post',
  paths: readonly [string, ...string[]],
  handler: RequestHandler,
): void => {
  const allowed = method === 'get' ? 'GET, HEAD' : 'POST';
  router
    .route([...paths])
    .all(named(paths[0]))
    [method](handler)
    .all((_request, response) => {
      response.set('Allow', allowed);
      throw new Refused('method_not_allowed', `The path takes ${allowed} alone`);
    });
};
