import { apiErrors } from './api/errors.ts';
import { openApi } from './api/openapi.ts';
import { filledSchema } from './config-json-schema.ts';
import { settingsOf } from './describe-types.ts';
import { destinationTypes } from './destinations/index.ts';
import type { JsonObject } from './event.ts';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return `\n${line(head)}${line(head.map(() => '---'))}${rows.map(line).join('')}`;
};
/** What a schema's annotation says; JSON where it is no text. */
const words = (value: unknown = ''): string =>
  typeof value === 'string' ? value : JSON.stringify(value);
const quoted = (text: string): string => `\`${text}\``;

/** What a value may be, in words: `text`, `us` or `eu`, a list of …. */
const valuesOf = (schema: JsonObject): string => {
  const { title, type, pattern, format } = schema;
  const choices = schema['enum'] ?? (schema['const'] === undefined ? undefined : [schema['const']]);
  if (typeof title === 'string') return title;
  if (Array.isArray(choices)) return choices.map((choice) => quoted(String(choice))).join(' ');
  if (type === 'array') return `list of ${valuesOf(schema['items'] as JsonObject)}`;
  if (type === 'object' || schema['oneOf'] !== undefined) {
    const values = schema['additionalProperties'];
    return typeof values === 'object' && schema['properties'] === undefined
      ? `map to ${valuesOf(values as JsonObject)}`
      : 'map';
  }
  if (format === 'uri') return 'address';
  const text = [type].flat().includes('number') ? 'text or number' : 'text';
  return typeof pattern === 'string' ? `${text} like ${quoted(pattern)}` : text;
};

interface Route {
  summary: string;
  responses: object;
}

const httpTable = (): string =>
  table(
    ['request', 'what for', 'answers'],
    Object.entries(openApi()['paths'] as Record<string, Record<string, Route>>).flatMap(
      ([path, methods]) =>
        Object.entries(methods).map(([method, { summary, responses }]) => [
          quoted(`${method.toUpperCase()} ${path}`),
          summary,
          Object.keys(responses).join(', '),
        ]),
    ),
  );

const errorTable = (): string =>
  table(
    ['code', 'status', 'message'],
    Object.entries(apiErrors).map(([code, { status, message }]) => [
      quoted(code),
      String(status),
      message,
    ]),
  );

/** The keys below a schema, each with its path; a destination's are alike but for type and settings. */
const keysOf = (schema: JsonObject, path: string): string[][] => {
  const { properties, items, additionalProperties, oneOf } = schema;
  if (items !== undefined) return keysOf(items as JsonObject, `${path}[]`);
  if (Array.isArray(oneOf)) return keysOf(oneOf[0] as JsonObject, path);
  if (properties === undefined) {
    return typeof additionalProperties === 'object'
      ? keysOf(additionalProperties as JsonObject, `${path}.<source>`)
      : [];
  }
  const required = (schema['required'] ?? []) as string[];
  return Object.entries(properties as Record<string, JsonObject>).flatMap(([key, value]) => {
    const place = path === '' ? key : `${path}.${key}`;
    const isType = place === 'destinations[].type';
    return [
      [
        quoted(place),
        isType ? destinationTypes.map(({ type }) => quoted(type)).join(' ') : valuesOf(value),
        required.includes(key) ? 'yes' : '',
        words(value['description']),
      ],
      ...(key === 'settings' ? [] : keysOf(value, place)),
    ];
  });
};

const typeSections = (): string =>
  destinationTypes
    .map((type) => {
      const rows = settingsOf(type).map(({ name, required, secret, schema }) => [
        quoted(name),
        valuesOf(schema),
        required ? 'yes' : '',
        secret ? 'yes' : '',
        schema['default'] === undefined ? '' : quoted(words(schema['default'])),
      ]);
      const events = Object.keys(type.events).join(', ');
      return (
        `\n### ${quoted(type.type)}\n\n[${type.name}](${type.docs}) takes ${events}.\n` +
        (type.notes === undefined ? '' : `\n${type.notes}\n`) +
        table(['setting', 'value', 'required', 'secret', 'default'], rows)
      );
    })
    .join('');

/** docs/reference.md: what the schemas, the errors and the destination types say of themselves. */
export const referenceText = (): string =>
  `# Reference

<!-- Made by npm run generate from the schemas in src/: change them, not this. -->

## HTTP

Every path may end in a slash. \`GET /openapi.json\` describes requests and answers in full.
${httpTable()}
## Errors

Answers other than 200 are a JSON object with a \`code\` and a \`message\`. So is each of the events in
\`rejected\`, beside its \`index\` in the posted batch: where some events of a batch are refused the
others are taken and the answer is 200; where all are, it has the code of the first.
${errorTable()}
## Configuration

Durations are \`500ms\`, \`30s\`, \`10m\`, \`4h\` or \`2d\`. \`\${VAR}\` and \`\${VAR:-default}\` in any value are
filled in from the environment.
${table(['key', 'value', 'required', 'what for'], keysOf(filledSchema(), ''))}
## Destination types
${typeSections()}`;
