const project = (name, testMatch) => ({
  displayName: name,
  testMatch,
  testEnvironment: 'node',
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
});

/** `fast`: every change. `long`: what takes more than seconds; CI runs it apart. */
export default {
  projects: [
    project('fast', ['<rootDir>/test/**/*.test.ts']),
    project('long', ['<rootDir>/test/**/*.long.ts']),
  ],
  testTimeout: 30_000,
  maxWorkers: 4, // most tests wait for a server, so more than there are cores
};
