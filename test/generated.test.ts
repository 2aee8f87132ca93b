import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { apiErrors } from '../src/api/errors.ts';
import { configJsonSchema } from '../src/config-json-schema.ts';
import { parseConfig } from '../src/config.ts';
import { destinationTypes } from '../src/destinations/index.ts';
import { generatedFiles } from '../src/generated-files.ts';

const root = resolve(__dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const files = generatedFiles();

test.each(Object.keys(files))('%s is current (npm run generate)', (file) => {
  expect(read(file)).toBe(files[file]);
});

describe("the configuration's schema for editors", () => {
  // Formats are known to editors; addresses are checked by `distributary check` in any case.
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(configJsonSchema());
  const takes = (text: string): boolean => validate(parse(text));
  const checks = (text: string): boolean => {
    try {
      parseConfig(text, { KEY: 'k', N: '7' }, 'my.yaml');
      return true;
    } catch {
      return false;
    }
  };

  test.each(['config/demo.yaml', 'config/compose.yaml'])('takes %s', (file) => {
    expect([takes(read(file)), checks(read(file))]).toEqual([true, true]);
  });

  test('takes the configuration that the README shows', () => {
    const shown = [...read('README.md').matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);
    expect(shown.length).toBeGreaterThan(0);
    for (const text of shown) expect([text, takes(text)]).toEqual([text, true]);
  });

  const source = 'sources: [{ name: web, writeKey: k }]\n';
  const mixpanel = (more: string): string =>
    `${source}destinations: [{ name: m, type: mixpanel, settings: { projectToken: t }, ${more} }]`;
  test.each([
    ['variables', 'sources: [{ name: "${KEY}", writeKey: "w-${KEY}-${NONE:-x}" }]', true],
    [
      'a variable for a type',
      source + 'destinations: [{ name: m, type: "${T:-mixpanel}", settings: { projectToken: t } }]',
      true,
    ],
    [
      'an id that is no integer',
      `${source}destinations: [{ name: o, type: optimizely, settings: { accountId: 1.5 } }]`,
      false,
    ],
    ['no type', `${source}destinations: [{ name: m }]`, false],
    ['a variable for a number', mixpanel('rate: { perSecond: "${N}" }'), true],
    ['a variable for a choice', mixpanel('events: ["${NONE:-page}"]'), true],
    ['a variable for a duration', mixpanel('timeout: "${N}s"'), true],
    ['a flag', `${source}network: { trustProxy: true }`, true],
    ['a number of proxies', `${source}network: { trustProxy: 2 }`, true],
    [
      'an id that YAML reads as a number',
      `${source}destinations: [{ name: o, type: optimizely, settings: { accountId: 8537612001 } }]`,
      true,
    ],
    ['no source', 'sources: []', false],
    ['an unknown key', `${source}sorces: []`, false],
    ['an unknown type', `${source}destinations: [{ name: m, type: mixpannel }]`, false],
    ['an unknown setting', mixpanel('connections: { web: { settings: { tokn: t } } }'), false],
    ['no duration', mixpanel('timeout: 10'), false],
    ['no choice', mixpanel('events: [merge]'), false],
    ['no flag', `${source}network: { trustProxy: perhaps }`, false],
    ['a variable for a key', mixpanel('connections: { "${KEY}": {} }'), false],
  ])('%s', (_, text, sound) => {
    expect([takes(text), checks(text)]).toEqual([sound, sound]);
  });
});

test('the schema for editors tells of the type at hand alone what is wrong with it', () => {
  const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(
    configJsonSchema(),
  );
  const settings = { projectToken: 't', region: 'mars' };
  const destinations = [{ name: 'm', type: 'mixpanel', settings }];
  expect(validate({ sources: [{ name: 'web', writeKey: 'k' }], destinations })).toBe(false);
  const paths = validate.errors!.map(({ instancePath }) => instancePath);
  expect(new Set(paths)).toEqual(
    new Set(['/destinations/0', '/destinations/0/settings/region']), // `if` and what it asks for
  );
});

test('the reference names every code and every setting', () => {
  const text = files['docs/reference.md']!;
  for (const code of Object.keys(apiErrors)) expect(text).toContain(`| \`${code}\` |`);
  for (const { type, settings } of destinationTypes) {
    expect(text).toContain(`### \`${type}\``);
    for (const name of Object.keys(settings.shape)) expect(text).toContain(`| \`${name}\` |`);
  }
  expect(text).not.toMatch(/undefined|\[object/);
});
