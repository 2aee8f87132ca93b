import type { RequestListener } from 'node:http';
import { apiErrors } from './errors.ts';
import { listen, type Listening, type ListenOptions } from './server.ts';

/** A port that is taken at once, and answered at by an app once there is one. */
export interface Door extends Listening {
  open: (app: RequestListener) => Listening;
}

/** SDKs come again after so long. */
const retryAfterSeconds = 2;

const closed: RequestListener = (_request, response) => {
  const { status } = apiErrors.overloaded;
  response
    .writeHead(status, {
      'Content-Type': 'application/json',
      'Retry-After': retryAfterSeconds,
      Connection: 'close',
    })
    .end(JSON.stringify({ code: 'overloaded', message: 'Distributary is starting' }));
};

/**
 * Takes a port before all else that a start needs, so that all else can be told where it is.
 * @throws UserError where the port or host cannot be had
 */
export const createDoor = async (options: ListenOptions): Promise<Door> => {
  let current = closed;
  const listening = await listen((request, response) => current(request, response), options);
  return {
    ...listening,
    open: (app) => {
      current = app;
      return listening;
    },
  };
};
