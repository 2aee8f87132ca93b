import { run } from './global-setup.ts';

/** Ends the run's Temporal server. */
// eslint-disable-next-line import-x/no-default-export -- jest asks for one
export default async function teardown(): Promise<void> {
  await run.temporal?.stop();
  run.guard?.kill();
  delete run.temporal;
}
