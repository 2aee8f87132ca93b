import { configJsonSchema } from './config-json-schema.ts';
import { referenceText } from './reference.ts';

/** What is committed though the schemas say it, by path: `npm run generate` writes it. */
export const generatedFiles = (): Record<string, string> => ({
  'config/distributary.schema.json': `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`,
  'docs/reference.md': referenceText(),
});
