import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { eventually } from '../support/eventually.ts';
import { trackEvent } from '../support/events.ts';
import { partneredRoads } from '../support/partnered-roads.ts';
import { createFolder, runProduct, type Folder } from '../support/product.ts';
import type { DestinationEntry, Road } from '../support/road.ts';
import { testAddress, uniqueName } from '../support/temporal.ts';

/** Each command is a process that connects. */
const slow = 120_000;

const { partner, open: openRoad, hook: webhook } = partneredRoads();
let folder: Folder;
let road: Road;
beforeAll(() => {
  folder = createFolder();
});
afterAll(() => folder.remove());

const hook = (name: string, more: object = {}): DestinationEntry =>
  webhook(name, { retry: { maxDelay: '1s' }, ...more });
const open = async (destinations: DestinationEntry[], sources = ['website']): Promise<void> => {
  road = await openRoad(destinations, { sources });
};
const events = (count: number, name = 'm') =>
  Array.from({ length: count }, (_, n) => trackEvent({ messageId: `${name}-${n}` }));
const latest = ({ workflowId }: WorkflowHandle) => road.client.workflow.getHandle(workflowId);

const reset = async (...args: string[]) => {
  const product = runProduct(['reset', ...args], {
    cwd: folder.path,
    env: { TEMPORAL_ADDRESS: testAddress() },
  });
  return { code: await product.exited, stdout: product.stdout(), stderr: product.stderr() };
};
/** Resets one destination's part without asking, and waits for the new run's end. */
const resetPart = async (batch: WorkflowHandle, destination: string, ...more: string[]) => {
  const name = road.name(destination);
  const { code, stdout, stderr } = await reset(
    batch.workflowId,
    '--destination',
    name,
    '--yes',
    ...more,
  );
  if (code !== 0) throw new Error(stderr);
  return { stdout, receipts: await road.receipts(latest(batch)) };
};

/** How many requests came to each path for the events of this name. */
const counts = (name = 'm'): Record<string, number> => {
  const byPath: Record<string, number> = {};
  for (const { path, headers } of partner.received) {
    if (!String(headers['webhook-id']).startsWith(`${name}-`)) continue;
    byPath[path.slice(1)] = (byPath[path.slice(1)] ?? 0) + 1;
  }
  return byPath;
};

test(
  'what it says is sent again is sent again, and nothing else',
  async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    await open(names.map((name) => hook(name)));
    let mistaken = true;
    partner.script(({ path, headers }, nth) => ({
      status: mistaken && path === '/c' && String(headers['webhook-id']).endsWith('-1') ? 400 : 200,
      afterMs: (nth * 17) % 40, // so that the five end in another order in each batch
    }));
    const batches = await Promise.all(
      ['p', 'q', 'r'].map(async (name) => ({ name, batch: await road.start(events(2, name)) })),
    );
    for (const { batch } of batches) {
      expect((await road.receipts(batch)).deliveries['c']).toMatchObject({ rejected: 1 });
    }
    mistaken = false;
    for (const { name, batch } of batches) {
      const before = counts(name);
      const { stdout, receipts } = await resetPart(batch, 'c');
      const told = [...stdout.matchAll(/^ {2}(\w)-\w{8}(?:: all (\d) events)?/gm)];
      expect(told.map(([, destination]) => destination).sort()).toEqual(names);
      const said = told.map(([, destination, again]) => [
        destination,
        before[destination!]! + Number(again ?? 0),
      ]);
      expect(counts(name)).toEqual(Object.fromEntries(said));
      expect(counts(name)).toMatchObject({ c: 4 });
      expect(receipts.deliveries['c']).toMatchObject({ delivered: 2, rejected: 0 });
    }
  },
  slow,
);

/** A batch of three sources, of which one's continuation was rejected after all else was delivered. */
const rejectedContinuation = async (): Promise<WorkflowHandle> => {
  const connections = {
    b: { settings: { url: `${partner.url}/b` } },
    c: { settings: { url: `${partner.url}/c` } },
  };
  await open([hook('a', { connections }), hook('other')], ['website', 'b', 'c']);
  partner.script(({ path }) => ({ status: /^.[bc]$/.test(path) ? 503 : 200 }));
  const batch = await road.startOf(
    ['website', 'b', 'c'].map((source) => ({ source, events: events(2) })),
  );
  await eventually(async () => {
    const { raw } = await batch.describe();
    expect(raw.pendingActivities?.filter(({ attempt }) => attempt! > 1)).toHaveLength(2);
  });
  partner.script(({ path }) => ({ status: path === '/b' ? 503 : path === '/c' ? 400 : 200 }));
  await eventually(async () => {
    const { raw } = await batch.describe();
    expect(raw.pendingActivities).toHaveLength(1);
  });
  partner.script(({ path }) => ({ status: path === '/c' ? 400 : 200 }));
  expect((await road.receipts(batch)).deliveries['a']).toMatchObject({ delivered: 4, rejected: 2 });
  partner.received.length = 0;
  partner.script(() => ({ status: 200 }));
  return batch;
};

test(
  'begins with what was rejected, or with the whole where asked to',
  async () => {
    const batch = await rejectedContinuation();
    const { runId: first } = await batch.describe();
    const part = await resetPart(batch, 'a');
    expect(part.stdout).toMatch(
      /its continuation, which ended at event \d+ with 2 events rejected/,
    );
    expect(part.stdout).toMatch(/\n {2}a-\w+: 4 of 6 events\nKept, not sent again:\n {2}other-/);
    expect(counts()).toEqual({ b: 2, c: 2 }); // b's continuation ended last
    expect(part.receipts.deliveries['a']).toMatchObject({ delivered: 6, rejected: 0 });

    // The run that it came from can be reset again, and so can the new one.
    partner.received.length = 0;
    await resetPart(batch, 'a', '--run-id', first);
    expect(counts()).toEqual({ b: 2, c: 2 });
    partner.received.length = 0;
    const whole = await resetPart(batch, 'a', '--whole');
    expect(whole.stdout).toMatch(/a-\w+: all 6 events/);
    expect(counts()).toMatchObject({ a: 2, b: 2, c: 2 });
  },
  slow,
);

test(
  'sends what a terminated batch had parked, and keeps the others',
  async () => {
    await open([hook('locked'), hook('fine')]);
    let refused = true;
    partner.script(({ path }) => ({ status: refused && path === '/locked' ? 401 : 200 }));
    const batch = await road.start(events(3));
    await eventually(async () =>
      expect((await batch.describe()).raw.pendingActivities).toEqual([]),
    );
    await eventually(() => expect(counts()).toMatchObject({ fine: 3 }));
    const name = road.name('locked');

    const whileOpen = await reset(batch.workflowId, '--destination', name, '--yes');
    expect(whileOpen).toMatchObject({ code: 2, stdout: '' });
    expect(whileOpen.stderr).toMatch(/is still open .*redrive/);

    await batch.terminate();
    refused = false;
    partner.received.length = 0;
    const { stdout, receipts } = await resetPart(batch, 'locked');
    expect(stdout).toContain('left 3 events unsettled');
    const fineAgain = /fine-\w+: all 3 events/.test(stdout);
    expect(counts()).toEqual({ locked: 3, ...(fineAgain && { fine: 3 }) });
    expect(receipts.deliveries['locked']).toMatchObject({ delivered: 3 });
  },
  slow,
);

test(
  'a mistake is told in words, with exit code 2, and changes nothing',
  async () => {
    await open([hook('one')]);
    const batch = await road.start(events(1));
    await road.receipts(batch);
    const { runId } = await batch.describe();
    const one = ['--destination', road.name('one')];
    const refused = async (args: string[], words: RegExp) => {
      const { code, stdout, stderr } = await reset(...args);
      expect(stderr).toMatch(words);
      expect(stderr).not.toContain('    at '); // a stack
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    };
    await refused([batch.workflowId, ...one], /no terminal to ask on: add --yes/);
    await refused([batch.workflowId, '--yes'], /--destination <name>' not specified/);
    await refused(
      [batch.workflowId, '--destination', 'two', '--yes'],
      /was not for two; its destinations are one-/,
    );
    await refused([uniqueName(), ...one, '--yes'], /There is no batch t/);
    await refused([batch.workflowId, ...one, '--run-id', 'x', '--yes'], /with a run x/);
    const dry = await reset(batch.workflowId, ...one, '--dry-run');
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing was changed.') });
    expect((await latest(batch).describe()).runId).toBe(runId);
    expect(counts()).toEqual({ one: 1 });
  },
  slow,
);
