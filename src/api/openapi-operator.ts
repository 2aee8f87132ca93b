import type { JsonObject } from '../event.ts';
import { schemaRef } from './openapi-schemas.ts';

const text: JsonObject = { type: 'string' };
const time: JsonObject = { type: 'string', format: 'date-time' };
const count: JsonObject = { type: 'integer', minimum: 0 };

/** An object with these keys, all but the named there. */
const object = (properties: JsonObject, optional: readonly string[] = []): JsonObject => ({
  type: 'object',
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
  properties,
});
const listOf = (items: JsonObject): JsonObject => ({ type: 'array', items });

/** What `GET /v1/operator/explain` answers with. */
export const explanationSchemas: JsonObject = {
  Explanation: object({
    events: {
      description: 'One for each place that holds the messageId.',
      ...listOf(schemaRef('ExplainedEvent')),
      minItems: 1,
    },
    searched: { ...text, description: 'Where it was looked for, in words.' },
  }),
  ExplainedEvent: object({
    messageId: text,
    type: text,
    source: text,
    acceptedAt: time,
    batch: object({
      id: { ...text, description: 'As `Distributary-Batch` was answered.' },
      place: { ...count, description: "The event's, from 0." },
      events: count,
      status: { ...text, description: "The workflow's." },
      startedAt: time,
    }),
    destinations: listOf(schemaRef('ExplainedDestination')),
    notes: { ...listOf(text), description: 'Why less is told than might be.' },
  }),
  ExplainedDestination: object(
    {
      destination: text,
      connection: { ...text, description: 'Where it is known.' },
      outcome: {
        enum: [
          'delivered',
          'filtered',
          'rejected',
          'waiting',
          'under_way',
          'parked',
          'abandoned',
          'expired',
          'unknown',
        ],
      },
      words: { ...text, description: 'The outcome with all that is known of why.' },
      detail: { type: 'object', description: 'What the words are made of.' },
      attempts: {
        description: "The last few attempts of the event's connection in this batch.",
        ...listOf(
          object(
            {
              connection: text,
              at: time,
              ms: { type: 'number', minimum: 0 },
              events: count,
              status: { type: ['integer', 'string'] },
              reason: text,
              received: {
                enum: ['no', 'yes', 'maybe'],
                description:
                  'Whether the partner has them: `yes`, all; else of those that it did not ' +
                  'acknowledge certainly none, or perhaps.',
              },
            },
            ['reason'],
          ),
        ),
      },
    },
    ['connection'],
  ),
};
