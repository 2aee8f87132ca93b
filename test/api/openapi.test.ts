import { afterEach, describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { createApi } from '../../src/api/app.ts';
import { Overloaded } from '../../src/api/coalescer.ts';
import { apiErrors } from '../../src/api/errors.ts';
import { openApi } from '../../src/api/openapi.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { basic, closeServers, post, serveApi, type Sent } from './api-server.ts';
import { clientRequests } from './clients.ts';

afterEach(closeServers);

interface Answer {
  $ref?: string;
  description?: string;
  headers?: Record<string, unknown>;
}
interface Operation {
  operationId: string;
  security: object[];
  parameters?: { name: string; in: string }[];
  requestBody?: object;
  responses: Record<string, Answer>;
}
interface Description {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, object>;
    responses: Record<string, Answer>;
    securitySchemes: Record<string, object>;
  };
}

const described = JSON.parse(JSON.stringify(openApi())) as Description;
const { schemas, responses, securitySchemes } = described.components;
const operations = Object.entries(described.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

const ajv = new Ajv2020({ strict: false });
ajv.addSchema(described, 'openapi');
const pointer = (...steps: string[]): string =>
  ['#', ...steps.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');
/** What a schema of the description finds wrong with a value; null where nothing. */
const faults = (place: string, value: unknown): unknown => {
  const validate = ajv.getSchema(`openapi${place}`)!;
  return validate(value) ? null : validate.errors;
};

const json = ['content', 'application/json', 'schema'];
const expectDescribed = (
  [path, method]: [path: string, method: string],
  answer: { status: number; headers: Headers; body?: unknown },
): void => {
  const status = String(answer.status);
  const told = described.paths[path]![method]!.responses[status];
  expect([status, typeof told]).toEqual([status, 'object']);
  const { $ref } = told!;
  const place = $ref?.slice(2).split('/') ?? ['paths', path, method, 'responses', status];
  expect(faults(pointer(...place, ...json), answer.body)).toBeNull();
  const { headers = {} } = $ref === undefined ? told! : responses[place.at(-1)!]!;
  for (const header of ['Retry-After', 'X-RateLimit-Reset', 'Distributary-Batch']) {
    if (answer.headers.has(header)) expect(Object.keys(headers)).toContain(header);
  }
};

interface Layer {
  route?: { path: string[]; methods: Record<string, boolean> };
  handle: { stack?: Layer[] };
}
/** Every route of the app, as Express knows it. */
const routesOf = (layers: Layer[]): string[] =>
  layers.flatMap(({ route, handle }) =>
    route === undefined
      ? routesOf(handle.stack ?? [])
      : route.path.flatMap((path) =>
          Object.keys(route.methods)
            .filter((method) => method !== '_all')
            .map((method) => `${method} ${path}`),
        ),
  );

test('is served', async () => {
  const { url } = await serveApi();
  const response = await fetch(`${url}/openapi.json`);
  expect(response.status).toBe(200);
  expect(response.headers.get('Content-Type')).toContain('application/json');
  expect(await response.json()).toEqual(described);
});

test('has every route of the app, and no other', () => {
  const app = createApi({
    sources: [],
    coalescer: { submit: () => Promise.resolve(''), refusal: () => undefined },
    health: () => Promise.resolve({ ok: true }),
    metrics: createMetrics(),
    log: createLog('silent'),
    operator: { token: 'x', explain: () => Promise.reject(new Error()) },
  });
  const routes = routesOf((app.router as unknown as { stack: Layer[] }).stack);
  expect(routes).toContain('post /v1/track');
  const told = operations.map(
    ({ path, method }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
  );
  expect(told.sort()).toEqual(routes.sort());
});

describe('is sound', () => {
  test('in its references', () => {
    const used = new Set(
      [...JSON.stringify(described).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, found]) => found!),
    );
    for (const reference of used) {
      const target = reference
        .split('/')
        .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], described);
      expect([reference, typeof target]).toEqual([reference, 'object']);
    }
    for (const name of Object.keys(schemas)) expect(used).toContain(`components/schemas/${name}`);
  });

  test('in its schemas', () => {
    for (const [name, schema] of Object.entries(schemas)) {
      expect([name, ajv.validateSchema(schema)]).toEqual([name, true]);
    }
  });

  test('in its operations', () => {
    expect(described.openapi).toBe('3.1.0');
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations) {
      const parameters = (operation.parameters ?? []).filter((found) => found.in === 'path');
      expect(parameters.map(({ name }) => name)).toEqual(
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      );
      for (const scheme of operation.security.flatMap(Object.keys)) {
        expect(Object.keys(securitySchemes)).toContain(scheme);
      }
      for (const { $ref, description } of Object.values(operation.responses)) {
        expect([$ref, description]).toContainEqual(expect.any(String));
      }
    }
  });

  test('in its codes: each is told with its status, and given by some answer', () => {
    const { code } = (schemas['Error'] as { properties: { code: Record<string, unknown> } })
      .properties;
    expect(code['enum']).toEqual(Object.keys(apiErrors));
    const answers = JSON.stringify([responses, described.paths]);
    for (const [name, { status }] of Object.entries(apiErrors)) {
      expect(code['description']).toContain(`\`${name}\` (${status})`);
      expect(answers).toContain(`"${name}"`);
    }
  });
});

describe('what is sent and answered is as described', () => {
  const authorized = { Authorization: basic('website-key:') };
  const body = { event: 'Paid', userId: 'u1' };

  test.each(clientRequests.map((request) => [request.client, request] as const))(
    '%s',
    async (_, sent) => {
      const { url } = await serveApi();
      const told = sent.path.replace(/\/$/, '');
      const place = pointer('paths', told, 'post', 'requestBody', ...json);
      expect(faults(place, sent.body)).toBeNull();
      expectDescribed([told, 'post'], await post(url + sent.path, sent));
    },
  );

  const refusals: [path: string, Sent, status: number][] = [
    ['/v1/t', { body }, 401],
    ['/v1/track', { body: { ...body, userId: null }, headers: authorized }, 400],
    ['/v1/track', { body: { userId: 'u1' }, headers: authorized }, 400],
    ['/v1/page', { body: { anonymousId: '' }, headers: authorized }, 400],
    ['/v1/group', { body: { userId: 1, groupId: {} }, headers: authorized }, 400],
    ['/v1/batch', { body: { batch: [] }, headers: authorized }, 400],
    ['/v1/b', { body: { batch: [{ type: 'merge' }] }, headers: authorized }, 400],
    ['/v1/import', { body: { batch: {} }, headers: authorized }, 400],
    [
      '/v1/track',
      { body, headers: { ...authorized, 'Content-Encoding': 'zstd' } },
      apiErrors.unsupported_encoding.status,
    ],
  ];
  test.each(refusals)('%s, refused: %j', async (path, sent, status) => {
    const { url } = await serveApi();
    const answer = await post(url + path, sent);
    expect(answer.status).toBe(status);
    expectDescribed([path, 'post'], answer);
    // What the schemas can tell, they do.
    const place = pointer('paths', path, 'post', 'requestBody', ...json);
    if (status === 400) expect(faults(place, sent.body)).not.toBeNull();
  });

  test('a batch of which a part is refused', async () => {
    const { url } = await serveApi();
    const batch = [{ type: 'track', ...body }, 7];
    const answer = await post(`${url}/v1/batch`, { body: { batch }, headers: authorized });
    expect(answer.body).toMatchObject({ success: true, rejected: [{ index: 1 }] });
    expectDescribed(['/v1/batch', 'post'], answer);
  });

  test.each([
    [429, new Overloaded(429, 'slower', 1)],
    [503, new Overloaded(503, 'later', 1)],
    [500, new Error('a bug')],
  ])('%i', async (status, error) => {
    const { url, coalescer } = await serveApi();
    coalescer.fate = () => Promise.reject(error);
    const answer = await post(`${url}/v1/track`, { body, headers: authorized });
    expect(answer.status).toBe(status);
    expectDescribed(['/v1/track', 'post'], answer);
  });

  test.each([
    ['/v1/projects/{writeKey}/settings', '/v1/projects/app-key/settings', 200],
    ['/v1/projects/{writeKey}/settings', '/v1/projects/nobody/settings', 404],
    ['/v1/projects/{writeKey}/settings', '/v1/projects/%E0%A4%A/settings', 400],
    ['/health', '/health', 200],
    ['/openapi.json', '/openapi.json', 200],
  ])('%s: %s', async (path, asked, status) => {
    const { url } = await serveApi();
    const response = await fetch(url + asked);
    expect(response.status).toBe(status);
    const { headers } = response;
    expectDescribed([path, 'get'], { status, headers, body: await response.json() });
  });

  test('/v1/m', async () => {
    const { url } = await serveApi();
    expectDescribed(['/v1/m', 'post'], await post(`${url}/v1/m`, { body: { series: [] } }));
  });
});
