import type { JsonObject } from '../event.ts';
import { sessionCookie } from './codec-session.ts';
import { apiErrors, type ErrorCode } from './errors.ts';
import { allCodes, apiSchemas, codeSchema, schemaName, schemaRef } from './openapi-schemas.ts';
import { explanationSchemas } from './openapi-operator.ts';
import type { Call } from './posted.ts';
import { trackingPaths } from './tracking-routes.ts';

/** What clients are known to say that they send; nothing goes by it. */
const contentTypes = ['application/json', 'text/plain', 'application/x-www-form-urlencoded'];

const asJson = (schema: JsonObject): JsonObject => ({ 'application/json': { schema } });

const seconds: JsonObject = { schema: { type: 'integer', minimum: 1 } };
const headersOf: Partial<Record<number, JsonObject>> = {
  405: { Allow: { schema: { type: 'string' } } },
  429: { 'Retry-After': seconds, 'X-RateLimit-Reset': seconds },
  503: { 'Retry-After': seconds },
};

/** One answer per status that some codes have, keyed by it. */
const refusals = (codes: readonly ErrorCode[]): JsonObject =>
  Object.fromEntries(
    [...new Set(codes.map((name) => apiErrors[name].status))].map((status) => {
      const these = codes.filter((name) => apiErrors[name].status === status);
      const headers = headersOf[status];
      return [
        status,
        {
          description: these.map((name) => `\`${name}\``).join(', '),
          ...(headers !== undefined && { headers }),
          content: asJson({
            allOf: [schemaRef('Error'), { properties: { code: codeSchema(these) } }],
          }),
        },
      ];
    }),
  );

/** What any request may be answered with, before its path is looked at. */
const ofHttp: ErrorCode[] = ['bad_request', 'headers_too_large', 'request_timeout', 'internal'];
const ofCodec: ErrorCode[] = [
  'operators_only',
  'invalid_payloads',
  'undecodable',
  'decoded_too_large',
];
const ofOperators: ErrorCode[] = [
  'no_operator_token',
  'invalid_query',
  'event_not_found',
  'too_many_searches',
  'cannot_open',
  'temporal_unavailable',
];
const ofOtherPaths: ErrorCode[] = [
  'not_found',
  'unknown_source',
  'method_not_allowed',
  ...ofCodec,
  ...ofOperators,
];
const bodyRefusals: ErrorCode[] = [
  ...ofHttp,
  'invalid_json',
  'invalid_utf8',
  'invalid_compression',
  'unsupported_encoding',
  'request_too_large',
  'request_aborted',
  'overloaded',
];
const ofBatches: ErrorCode[] = ['empty_batch', 'too_many_events'];
const batchRefusals = allCodes.filter((name) => !ofOtherPaths.includes(name));
const eventRefusals = batchRefusals.filter((name) => !ofBatches.includes(name));

/** Paths share their refusals: a name for each, such as `Batch400`. */
const shared = (prefix: string, codes: readonly ErrorCode[]): JsonObject =>
  Object.fromEntries(
    Object.entries(refusals(codes)).map(([status, answer]): [string, unknown] => [
      prefix + status,
      answer,
    ]),
  );
const sharedRefs = (prefix: string, codes: readonly ErrorCode[]): JsonObject =>
  Object.fromEntries(
    Object.keys(refusals(codes)).map((status) => [
      status,
      { $ref: `#/components/responses/${prefix}${status}` },
    ]),
  );

const takes = (call: Call, id: string): JsonObject => {
  const schema = schemaRef(schemaName(call));
  const prefix = call === 'batch' ? 'Batch' : 'Event';
  return {
    post: {
      operationId: id,
      summary: call === 'batch' ? 'Take a batch of events' : `Take one ${call} event`,
      tags: ['events'],
      security: [{ writeKey: [] }, {}],
      parameters: [
        {
          name: 'Content-Encoding',
          in: 'header',
          schema: { enum: ['gzip', 'x-gzip', 'deflate', 'br', 'identity'] },
        },
      ],
      requestBody: {
        required: true,
        description: 'JSON in UTF-8, whatever the Content-Type says.',
        content: Object.fromEntries(contentTypes.map((type) => [type, { schema }])),
      },
      responses: {
        200: {
          description: 'The events are durable, or repeat others that are.',
          headers: {
            'Distributary-Batch': {
              description: 'The id of the workflow that holds them; absent where all are repeats.',
              schema: { type: 'string' },
            },
          },
          content: asJson(schemaRef('Success')),
        },
        ...sharedRefs(prefix, call === 'batch' ? batchRefusals : eventRefusals),
      },
    },
  };
};

const gives = (
  operationId: string,
  summary: string,
  responses: JsonObject,
  more: JsonObject = {},
): JsonObject => ({
  get: {
    operationId,
    summary,
    tags: ['service'],
    security: [],
    ...more,
    responses: { ...responses, ...sharedRefs('Http', ofHttp) },
  },
});

const translates = (operationId: string, summary: string): JsonObject => ({
  post: {
    operationId,
    summary,
    tags: ['operators'],
    security: [{}, { operator: [] }, { codecSession: [] }],
    requestBody: { required: true, content: asJson(schemaRef('Payloads')) },
    responses: {
      200: { description: 'In the same order.', content: asJson(schemaRef('Payloads')) },
      ...refusals([...bodyRefusals, ...ofCodec]),
    },
  },
});

const query = (name: string, description: string, more: JsonObject = {}): JsonObject => ({
  name,
  in: 'query',
  description,
  schema: { type: 'string', minLength: 1 },
  ...more,
});

const explains: JsonObject = {
  get: {
    operationId: 'explain',
    summary: 'What became of one event, where operators have a token',
    tags: ['operators'],
    security: [{ operator: [] }],
    parameters: [
      query('messageId', "The event's.", { required: true }),
      query('batch', 'The id of the batch that holds it; beside it no `around`.'),
      query(
        'around',
        'About when it was accepted: ISO-8601, or `2h` for two hours ago. Omitted: the time that ' +
          'the messageId says, as those of analytics.js and analytics-node do.',
      ),
    ],
    responses: {
      200: { description: 'It was found.', content: asJson(schemaRef('Explanation')) },
      // One answer for each status, with those of any path.
      ...refusals([...ofOperators, 'not_found', ...ofHttp]),
    },
  },
};

const paths = (): JsonObject => ({
  ...Object.fromEntries(
    trackingPaths.flatMap(({ call, spellings: [first, ...short] }): [string, JsonObject][] => [
      [first, takes(call, first.slice('/v1/'.length))],
      ...short.map((path): [string, JsonObject] => [path, takes(call, `${call}Short`)]),
    ]),
  ),
  '/v1/m': {
    post: {
      operationId: 'clientMetrics',
      summary: 'Take what analytics.js counts of its own doings, and drop it',
      tags: ['service'],
      security: [],
      responses: {
        200: { description: 'It is dropped.', content: asJson(schemaRef('Success')) },
        ...sharedRefs('Http', ofHttp),
      },
    },
  },
  '/v1/projects/{writeKey}/settings': gives(
    'settings',
    'What a client SDK asks for when it starts',
    {
      200: {
        description: 'The least that works.',
        content: asJson(schemaRef('Settings')),
      },
      ...refusals(['unknown_source']),
    },
    {
      parameters: [{ name: 'writeKey', in: 'path', required: true, schema: { type: 'string' } }],
    },
  ),
  '/codec/decode': translates(
    'decodePayloads',
    "Make payloads readable, for Temporal's Web UI and CLI",
  ),
  '/codec/encode': translates('encodePayloads', 'Encode what these send, as we do'),
  '/codec/login': gives('codecLogin', 'Where an operator types the token, for the Web UI', {
    200: { description: 'A page.', content: { 'text/html': { schema: { type: 'string' } } } },
  }),
  '/codec/session': {
    post: {
      operationId: 'codecSession',
      summary: 'Let a Web UI on another origin decode payloads, by a cookie',
      tags: ['operators'],
      security: [],
      requestBody: {
        required: true,
        content: { 'application/x-www-form-urlencoded': { schema: schemaRef('CodecSession') } },
      },
      responses: {
        200: {
          description: 'It may, in this browser.',
          headers: { 'Set-Cookie': { schema: { type: 'string' } } },
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
        ...refusals([...ofHttp, 'operators_only', 'request_too_large', 'request_aborted']),
      },
    },
  },
  '/v1/operator/explain': explains,
  '/health': gives('health', 'Whether events can be taken and delivered', {
    200: { description: 'They can.', content: asJson(schemaRef('Health')) },
    503: { description: 'They cannot.', content: asJson(schemaRef('Health')) },
  }),
  '/metrics': gives('metrics', 'Figures for Prometheus', {
    200: {
      description: 'The text format of Prometheus.',
      content: { 'text/plain': { schema: { type: 'string' } } },
    },
  }),
  '/openapi.json': gives('openapi', 'This description', {
    200: { description: 'OpenAPI 3.1.', content: asJson({ type: 'object' }) },
  }),
});

/** The HTTP interface in the words of OpenAPI 3.1, made from the schemas that requests are held to. */
export const openApi = (): JsonObject => ({
  openapi: '3.1.0',
  info: {
    title: 'Distributary',
    version: '1',
    description:
      "Takes customer events as Segment's HTTP Tracking API does. Every path may end in a slash. " +
      'Other paths are answered 404 `not_found`, other methods 405 `method_not_allowed`.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/' }],
  tags: [
    { name: 'events', description: 'Taking events' },
    { name: 'operators', description: 'For operators' },
    { name: 'service', description: 'About the service' },
  ],
  paths: paths(),
  components: {
    securitySchemes: {
      writeKey: {
        type: 'http',
        scheme: 'basic',
        description:
          "The source's write key as the user's name, with an empty password. Without the header " +
          'the key is the field `writeKey` of the body, or of its events.',
      },
      operator: { type: 'http', scheme: 'bearer', description: 'The token `operator.token`.' },
      codecSession: {
        type: 'apiKey',
        in: 'cookie',
        name: sessionCookie,
        description: 'What `POST /codec/session` sets, for one origin.',
      },
    },
    schemas: { ...apiSchemas(), ...explanationSchemas },
    responses: {
      ...shared('Event', eventRefusals),
      ...shared('Batch', batchRefusals),
      ...shared('Http', ofHttp),
      ...shared('Any', ['not_found', 'method_not_allowed']),
    },
  },
});
