import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';

/** Host and port of the run's Temporal server. */
export const testAddress = (): string => {
  const address = process.env['TEST_TEMPORAL_ADDRESS'];
  if (address === undefined) throw new Error('test/support/global-setup.ts has not run');
  return address;
};

/** A name of this test's alone, for queues, namespaces and workflows: its title, and what no other has. */
export const uniqueName = (): string => {
  const title = expect.getState().currentTestName ?? 'test';
  const slug = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(-40);
  return `t${slug}-${randomUUID().slice(0, 8)}`;
};
