import { z } from 'zod';
import { ConfigFile } from './config-file.ts';
import type { JsonObject } from './event.ts';

/** Text that `${VAR}` or `${VAR:-default}` is in: what it will be is not known yet. */
const variable = { type: 'string', pattern: '\\$\\{\\w+(:-[^}]*)?\\}' };
const ofValues = ['type', 'pattern', 'format', 'enum', 'minLength', 'maxLength'];

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * One of several, told apart by a property's constant: each is asked for only where its constant
 * stands, so that an editor tells what is wrong with that one, and of a variable's value nothing.
 */
const byConstant = (options: readonly JsonObject[]): JsonObject => {
  const constants = options.map((option) =>
    Object.entries(option['properties'] as Record<string, JsonObject>).find(
      ([, property]) => property['const'] !== undefined,
    )!,
  );
  const [key, { description }] = constants[0]!;
  return {
    type: 'object',
    required: [key],
    properties: {
      [key]: {
        description,
        anyOf: [{ enum: constants.map(([, property]) => property['const']) }, variable],
      },
    },
    allOf: options.map((option, at) => ({
      if: { required: [key], properties: { [key]: { const: constants[at]![1]['const'] } } },
      then: option,
    })),
  };
};

/** A schema that takes variables wherever it takes text of some form. Keys hold none. */
const withVariables = (schema: unknown): unknown => {
  if (!isObject(schema)) return schema;
  const { properties, items, additionalProperties, anyOf, oneOf, ...rest } = schema;
  const inner: JsonObject = {
    ...rest,
    ...(isObject(properties) && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, value]) => [key, withVariables(value)]),
      ),
    }),
    ...(items !== undefined && { items: withVariables(items) }),
    ...(additionalProperties !== undefined && {
      additionalProperties: withVariables(additionalProperties),
    }),
    ...(Array.isArray(anyOf) && { anyOf: anyOf.map(withVariables) }),
    ...(Array.isArray(oneOf) && byConstant(oneOf.map(withVariables) as JsonObject[])),
  };
  const isFormed = [inner['type']].flat().includes('string') && inner['const'] === undefined;
  if (!isFormed || !ofValues.slice(1).some((key) => key in inner)) return inner;
  const entries = Object.entries(inner);
  return {
    ...Object.fromEntries(entries.filter(([key]) => !ofValues.includes(key))),
    anyOf: [Object.fromEntries(entries.filter(([key]) => ofValues.includes(key))), variable],
  };
};

/** The configuration as `distributary check` knows it once variables are filled in. */
export const filledSchema = (): JsonObject =>
  z.toJSONSchema(ConfigFile, {
    io: 'input',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema }) => {
      // Ids that YAML reads as numbers are made text before they are looked at.
      if (zodSchema instanceof z.ZodPipe && zodSchema.in instanceof z.ZodTransform) {
        if (jsonSchema.type === 'string')
          Object.assign(jsonSchema, { type: ['string', 'integer'] });
      }
    },
  });

/** JSON Schema of a configuration file as it is written, for editors: completion and first checks. */
export const configJsonSchema = (): JsonObject => ({
  title: 'Configuration of Distributary',
  ...(withVariables(filledSchema()) as JsonObject),
});
