import { randomUUID } from 'node:crypto';
import express, { Router, type Express } from 'express';
import type { Source } from '../config.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { createTurns, type Turns } from '../turns.ts';
import { answerErrors } from './answer-error.ts';
import { createReadBody, type ReadBody } from './body.ts';
import type { Coalescer } from './coalescer.ts';
import { addCodecRoutes, type CodecDeps } from './codec-routes.ts';
import { cors } from './cors.ts';
import { createDedupe, type Dedupe } from './dedupe.ts';
import { Refused } from './errors.ts';
import { createIngest } from './ingest.ts';
import { openApi } from './openapi.ts';
import { addOperatorRoutes, type OperatorDeps } from './operator-routes.ts';
import { addRoute, routeOf } from './route.ts';
import { addSettingsRoute } from './settings-route.ts';
import { addTrackingRoutes } from './tracking-routes.ts';
import { createWriteKeys } from './write-key.ts';

/** Whether events can be taken and delivered, and whatever else `GET /health` should tell. */
interface Health {
  ok: boolean;
}

export interface ApiDeps {
  sources: readonly Source[];
  coalescer: Coalescer;
  health: () => Promise<Health>;
  metrics: Pick<Metrics, 'api' | 'expose'>;
  log: Logger;
  /** Whether `X-Forwarded-For` is believed: all of it, or what so many proxies have added. */
  trustProxy?: boolean | number;
  codec?: CodecDeps;
  /** Absent: operators' paths are not there. */
  operator?: OperatorDeps;
  dedupe?: Dedupe;
  readBody?: ReadBody;
  turns?: Turns;
  /** ms since the epoch. */
  clock?: () => number;
  newId?: () => string;
}

/** The HTTP interface, to be listened with (api/server.ts). */
export const createApi = ({
  sources,
  coalescer,
  health,
  metrics,
  log,
  trustProxy = false,
  codec = { keys: [], webUi: [] },
  operator,
  dedupe = createDedupe(),
  readBody = createReadBody(),
  turns = createTurns(),
  clock = Date.now,
  newId = randomUUID,
}: ApiDeps): Express => {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('trust proxy', trustProxy);

  app.use((_request, response, next) => {
    const start = performance.now();
    response.once('close', () => {
      const status = response.writableFinished ? String(response.statusCode) : 'aborted';
      metrics.api.requestSeconds.observe(
        { route: routeOf(response.locals), status },
        (performance.now() - start) / 1_000,
      );
    });
    next();
  });
  const router = Router();
  if (operator !== undefined) {
    const operators = Router();
    addOperatorRoutes(operators, operator);
    app.use(operators); // before CORS: no page of a browser's has any business there
  }
  app.use('/v1', cors);

  const writeKeys = createWriteKeys(sources);
  const ingest = createIngest({ coalescer, dedupe, clock, newId, metrics: metrics.api });
  addTrackingRoutes(router, { writeKeys, readBody, coalescer, ingest, turns });
  addSettingsRoute(router, writeKeys);
  addCodecRoutes(app, router, codec, clock);
  addRoute(router, 'get', ['/health'], async (_request, response) => {
    const state = await health();
    response.status(state.ok ? 200 : 503).json(state);
  });
  addRoute(router, 'get', ['/metrics'], async (_request, response) => {
    const { contentType, body } = await metrics.expose();
    response.set('Content-Type', contentType).send(body);
  });
  const description = openApi();
  addRoute(router, 'get', ['/openapi.json'], (_request, response) => {
    response.json(description);
  });
  app.use(router);

  app.use(() => {
    throw new Refused('not_found');
  });
  app.use(answerErrors(log));
  return app;
};
