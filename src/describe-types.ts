import { z } from 'zod';
import type { DestinationType } from './destinations/define.ts';

/** A setting of a destination type, as `distributary destinations` tells it. */
interface Setting {
  name: string;
  required: boolean;
  secret: boolean;
  schema: Record<string, unknown>;
}

/** A type's settings, from its schema. */
export const settingsOf = (type: DestinationType): Setting[] => {
  const { properties = {}, required = [] } = z.toJSONSchema(type.settings, { io: 'input' });
  return Object.entries(properties).map(([name, property]) => {
    const { secret, ...schema } = property as Record<string, unknown>;
    return { name, required: required.includes(name), secret: secret === true, schema };
  });
};

const line = ({ name, required, secret, schema }: Setting): string => {
  const values = Array.isArray(schema['enum']) ? schema['enum'].join(' | ') : schema['type'];
  const marks = [required ? 'required' : 'optional', ...(secret ? ['secret'] : [])];
  return `  ${name}: ${String(values)} (${marks.join(', ')})\n`;
};

/** The destination types with their settings, for people or as JSON. */
export const describeTypes = (types: readonly DestinationType[], json: boolean): string =>
  json
    ? `${JSON.stringify(
        types.map((type) => ({
          type: type.type,
          name: type.name,
          docs: type.docs,
          otherNames: type.otherNames ?? [],
          notes: type.notes,
          events: Object.keys(type.events),
          settings: settingsOf(type),
        })),
        undefined,
        2,
      )}\n`
    : types
        .map(
          (type) =>
            `${type.type} (${[type.name, ...(type.otherNames ?? [])].join(', ')}): ` +
            `${Object.keys(type.events).join(', ')}\n` +
            `  ${type.docs}\n` +
            (type.notes === undefined ? '' : `  ${type.notes}\n`) +
            settingsOf(type).map(line).join(''),
        )
        .join('\n');
