import importX from 'eslint-plugin-import-x';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** A folder of src/ and the only ones it may import from. */
const zone = (target, allowed, reason) => ({
  target: `./src/${target}`,
  from: './src',
  except: allowed.map((path) => `./${path}`),
  message: reason,
});

export default defineConfig(
  globalIgnores(['dist', 'coverage', '.cache', '.distributary', 'node_modules']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/dot-notation': 'off', // settings and environment are read by index signature
      '@typescript-eslint/no-non-null-assertion': 'off', // noUncheckedIndexedAccess asks for them after a length check
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
      'import-x/no-default-export': 'error',
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': [
        'error',
        {
          basePath: import.meta.dirname,
          zones: [
            zone(
              'event.ts',
              ['event.ts'],
              'event.ts is the root of the road: it imports nothing of ours.',
            ),
            zone(
              'delivery.ts',
              ['delivery.ts', 'event.ts'],
              'What crosses Temporal depends on events alone.',
            ),
            zone(
              'workflows',
              ['workflows', 'delivery.ts'],
              'Workflows run in the sandbox: @temporalio/workflow and delivery.ts, nothing else.',
            ),
            zone(
              'destinations',
              ['destinations', 'event.ts', 'delivery.ts'],
              'Destination types are data and pure functions: define, event, zod and hashes.',
            ),
            zone(
              'activities',
              [
                'activities',
                'event.ts',
                'delivery.ts',
                'destinations',
                'temporal/events-encoding.ts',
                'breather.ts',
                'turns.ts',
                'gate.ts',
                'encryption.ts',
                'log.ts',
                'metrics.ts',
              ],
              'Activities get their dependencies as arguments.',
            ),
            zone(
              'sandbox',
              ['sandbox', 'event.ts', 'log.ts', 'user-error.ts'],
              'The sandbox plays partners: it knows of us what they know.',
            ),
            zone(
              'api',
              [
                'api',
                'event.ts',
                'delivery.ts',
                'destinations',
                'temporal/events-encoding.ts',
                'temporal/payload-converter.ts',
                'temporal/payload-codec.ts',
                'encryption.ts',
                'log.ts',
                'metrics.ts',
                'breather.ts',
                'turns.ts',
                'config.ts',
                'user-error.ts',
              ],
              'The API knows events, the plan and how to start a batch; not how deliveries work.',
            ),
          ],
        },
      ],
      'no-restricted-globals': [
        'error',
        { name: 'fetch', message: 'Partners are reached through activities/http.ts alone.' },
      ],
    },
  },
  {
    files: ['src/workflows/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!@temporalio/workflow$|\\.\\.?/)',
              message: 'The sandbox takes @temporalio/workflow and delivery.ts, nothing else.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['src/destinations/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!zod$|node:crypto$|\\.\\.?/)',
              message: 'Destination types import define, event, zod and node:crypto hashes.',
            },
          ],
        },
      ],
      'no-restricted-globals': [
        'error',
        ...['process', 'fetch', 'setTimeout', 'setInterval', 'performance'].map((name) => ({
          name,
          message:
            'Destination types are pure: the same event gives the same request on every attempt.',
        })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'The only clock is attempt.time.' },
        {
          object: 'Math',
          property: 'random',
          message: 'The same event gives the same request on every attempt.',
        },
      ],
    },
  },
  {
    files: ['test/**'],
    rules: {
      'no-restricted-globals': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off', // parsed answers are checked by the expectations themselves
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
);
