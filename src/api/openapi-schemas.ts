import { z } from 'zod';
import { eventTypes, PostedEvent, type EventType, type JsonObject } from '../event.ts';
import { apiErrors, type ErrorCode } from './errors.ts';
import { PostedBatch } from './posted.ts';

export const schemaRef = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });
/** `track` → `Track`: the schema of what a path takes. */
export const schemaName = (call: string): string => call.charAt(0).toUpperCase() + call.slice(1);

const without = (object: object, key: string): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));

const inputOf = (schema: z.ZodType): JsonObject =>
  without(z.toJSONSchema(schema, { io: 'input' }), '$schema');

const names = (id: string): JsonObject => ({
  required: [id],
  properties: { [id]: { type: ['string', 'number'], minLength: 1 } },
});
/** What the schemas of events leave to the normaliser: the event has to say whose it is. */
const namesSomebody = [names('userId'), names('anonymousId')];

/** An event as the path of its type takes it, where the path says the type. */
const postedAlone = (type: EventType): JsonObject => {
  const option = PostedEvent.options.find(({ shape }) => shape.type.value === type)!;
  const { properties, required, ...rest } = inputOf(option) as {
    properties: JsonObject;
    required: string[];
  };
  return {
    ...rest,
    properties: without(properties, 'type'),
    required: required.filter((field) => field !== 'type'),
    anyOf: namesSomebody,
  };
};

const postedBatch = (): JsonObject => {
  const { properties, ...rest } = inputOf(PostedBatch) as { properties: JsonObject };
  const batch = { ...(properties['batch'] as JsonObject), items: schemaRef('Event') };
  return { ...rest, properties: { ...properties, batch } };
};

/** One of these codes. */
export const codeSchema = (codes: readonly ErrorCode[]): JsonObject => ({
  type: 'string',
  enum: codes,
});
export const allCodes = Object.keys(apiErrors) as ErrorCode[];

/** What requests and answers are held to, by name. */
export const apiSchemas = (): JsonObject => ({
  ...Object.fromEntries(eventTypes.map((type) => [schemaName(type), postedAlone(type)])),
  ...Object.fromEntries(
    eventTypes.map((type) => [
      `${schemaName(type)}Event`,
      {
        allOf: [
          schemaRef(schemaName(type)),
          { required: ['type'], properties: { type: { type: 'string', const: type } } },
        ],
      },
    ]),
  ),
  Event: {
    description: 'An event that says its type, as a batch holds it.',
    oneOf: eventTypes.map((type) => schemaRef(`${schemaName(type)}Event`)),
    discriminator: {
      propertyName: 'type',
      mapping: Object.fromEntries(
        eventTypes.map((type) => [type, `#/components/schemas/${schemaName(type)}Event`]),
      ),
    },
  },
  Batch: postedBatch(),
  Success: {
    type: 'object',
    required: ['success'],
    properties: {
      success: { const: true },
      rejected: {
        description: 'The events of a batch that were refused; the others are durable.',
        type: 'array',
        minItems: 1,
        items: schemaRef('Rejected'),
      },
    },
    additionalProperties: false,
  },
  Rejected: {
    description: 'An event that was refused, by its place in the batch.',
    type: 'object',
    required: ['index', 'code', 'message'],
    properties: {
      index: { type: 'integer', minimum: 0 },
      code: codeSchema(allCodes),
      message: { type: 'string' },
    },
    additionalProperties: false,
  },
  Error: {
    description: 'Why nothing of the request was taken.',
    type: 'object',
    required: ['code', 'message'],
    properties: {
      code: {
        ...codeSchema(allCodes),
        description: allCodes
          .map((name) => `- \`${name}\` (${apiErrors[name].status}): ${apiErrors[name].message}`)
          .join('\n'),
      },
      message: { type: 'string', description: 'What to change, in words.' },
      rejected: { type: 'array', minItems: 1, items: schemaRef('Rejected') },
    },
    additionalProperties: false,
  },
  Payloads: {
    description: "Temporal's payloads, with their bytes in base64.",
    type: 'object',
    required: ['payloads'],
    properties: {
      payloads: {
        type: 'array',
        items: {
          type: 'object',
          properties: {
            metadata: { type: 'object', additionalProperties: { type: 'string' } },
            data: { type: 'string' },
          },
        },
      },
    },
  },
  CodecSession: {
    type: 'object',
    required: ['token', 'origin'],
    properties: {
      token: { type: 'string', description: 'The operator token.' },
      origin: { type: 'string', format: 'uri', description: 'The address of the Web UI.' },
    },
  },
  Health: {
    type: 'object',
    required: ['ok'],
    properties: {
      ok: { type: 'boolean' },
      ailments: { type: 'array', items: { type: 'string' } },
    },
  },
  Settings: {
    description: 'What analytics.js and the mobile SDKs ask for when they start.',
    type: 'object',
    required: ['integrations', 'plan', 'metrics'],
    properties: {
      integrations: {
        type: 'object',
        required: ['Segment.io'],
        properties: {
          'Segment.io': {
            type: 'object',
            required: ['apiKey', 'apiHost', 'protocol'],
            properties: {
              apiKey: { type: 'string' },
              apiHost: { type: 'string' },
              protocol: { enum: ['http', 'https'] },
            },
          },
        },
      },
      plan: { type: 'object' },
      metrics: { type: 'object' },
    },
  },
});
