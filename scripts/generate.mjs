// Writes the files that are made from the schemas in src/. test/generated.test.ts proves them current.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
// By a computed path: what is built may not be there while the sources are checked.
const { generatedFiles } = await import(join(root, 'dist/generated-files.js'));

for (const [file, text] of Object.entries(generatedFiles())) writeFileSync(join(root, file), text);
