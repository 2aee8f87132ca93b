import { createSecretKey, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createPayloadCodec } from '../../src/temporal/payload-codec.ts';
import { payloadConverter } from '../../src/temporal/payload-converter.ts';
import { createFolder, runProduct, type Folder } from '../support/product.ts';
import { testAddress, uniqueName } from '../support/temporal.ts';

const histories = resolve(import.meta.dirname, '../workflows/histories');
const text = (name: string): string => readFileSync(join(histories, `${name}.json`), 'utf8');

/** Each command is a process: with other tests beside, it takes a while. */
const slow = 120_000;

let folder: Folder;
beforeAll(() => {
  folder = createFolder();
});
afterAll(() => folder.remove());

const replay = async (...args: string[]) => {
  const product = runProduct(['replay', ...args], {
    cwd: folder.path,
    env: { TEMPORAL_ADDRESS: testAddress() },
  });
  return { code: await product.exited, stdout: product.stdout(), stderr: product.stderr() };
};
const write = (name: string, content: string): void =>
  writeFileSync(join(folder.path, name), content);

test(
  'one line for each history, also of several in a file; exit code 1 where one diverges',
  async () => {
    write('one.json', text('delivered'));
    // As if the code of its day had sent the batch by an activity of another name.
    write('other.json', text('delivered').replaceAll('"deliver"', '"forward"'));
    write('two.json', `${text('retried')}\n${text('rejected')}`);
    expect(await replay('one.json', 'two.json')).toEqual({
      code: 0,
      stdout:
        'ok       one.json\nok       two.json (1)\nok       two.json (2)\n3 replayed, none diverges.\n',
      stderr: '',
    });
    const { code, stdout, stderr } = await replay('one.json', 'other.json', 'two.json');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(
      /^ok {7}one.json\nDIVERGES other.json\n {9}Activity type of scheduled event 'forward' [^{}]*\nok/,
    );
    expect(stdout).toMatch(/\n4 replayed, 1 diverges: .*\n$/);
  },
  slow,
);

test(
  'every history that CI replays goes through',
  async () => {
    const files = readdirSync(histories).map((name) => join(histories, name));
    const { code, stdout } = await replay(...files);
    expect(stdout).toMatch(new RegExp(`\n${files.length} replayed, none diverges\\.\n$`));
    expect(code).toBe(0);
  },
  slow,
);

test(
  'what cannot be read is told in words, with exit code 2, and nothing is replayed',
  async () => {
    const parsed = JSON.parse(text('delivered')) as {
      events: { workflowExecutionStartedEventAttributes?: { input: { payloads: object[] } } }[];
    };
    write('fine.json', text('delivered'));
    write('cut.json', text('delivered').slice(0, 3_000));
    write('other.json', text('delivered').replace('"deliverBatch"', '"sendMail"'));
    write('list.json', '[1]');
    write('empty.json', '{"events":[]}');
    write('holes.json', JSON.stringify({ events: parsed.events.filter((_, n) => n !== 4) }));
    write('numbers.json', '{"events":[{"eventId":"1"}]}');
    parsed.events[0]!.workflowExecutionStartedEventAttributes!.input.payloads = [
      { data: { a: 1 } },
    ];
    write('decoded.json', JSON.stringify(parsed));
    const wrong = {
      'cut.json': /is not JSON \(.*\)/,
      'other.json': /is the history of a workflow sendMail, not of a batch or a redrive/,
      'list.json': /is no history: .*temporal workflow show -o json/,
      'empty.json': /has no events/,
      'holes.json': /lacks events/,
      'numbers.json': /cannot be read as a history/,
      'decoded.json': /cannot be read as a history .*download it encoded/,
      'nowhere.json': /is not there/,
      '.': /is a directory/,
    };
    const { code, stdout, stderr } = await replay('fine.json', ...Object.keys(wrong));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const lines = stderr.trimEnd().split('\n');
    expect(lines.pop()).toBe('Nothing was replayed.');
    for (const [n, [file, words]] of Object.entries(wrong).entries()) {
      expect(lines[n]).toMatch(new RegExp(`^${file.replace('.', '\\.')} ${words.source}.*\\.$`));
    }
  },
  slow,
);

test(
  'a key that is gone is a mistake, and no divergence',
  async () => {
    const history = JSON.parse(text('delivered')) as {
      events: { workflowExecutionStartedEventAttributes?: { input: { payloads: object[] } } }[];
    };
    const key = { id: 'of-last-year', key: createSecretKey(randomBytes(32)) };
    const payload = payloadConverter.toPayload({ version: 1 });
    const [sealed] = await createPayloadCodec([key]).encode([payload]);
    const { metadata, data } = sealed!;
    history.events[0]!.workflowExecutionStartedEventAttributes!.input.payloads[0] = {
      metadata: Object.fromEntries(
        Object.entries(metadata!).map(([name, value]) => [
          name,
          Buffer.from(value).toString('base64'),
        ]),
      ),
      data: Buffer.from(data!).toString('base64'),
    };
    write('sealed.json', JSON.stringify(history));
    const { code, stdout, stderr } = await replay('sealed.json');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^sealed.json cannot be read\. .*the key "of-last-year".*\n$/);
  },
  slow,
);

test(
  'a query that finds nothing, or is none, is a mistake, as is neither file nor query',
  async () => {
    const nothing = await replay('--query', `Destinations = "${uniqueName()}"`);
    expect(nothing).toMatchObject({ code: 2, stdout: '' });
    expect(nothing.stderr).toMatch(/^No batch is found by Destinations = .*nothing was replayed/);
    const broken = await replay('--query', 'Destinations =');
    expect(broken).toMatchObject({ code: 2, stdout: '' });
    expect(broken.stderr).toMatch(/^Temporal gives no histories for Destinations =: .*\n$/);
    const neither = await replay();
    expect(neither).toMatchObject({ code: 2, stdout: '' });
    expect(neither.stderr).toMatch(/Name files with histories, or give a --query/);
  },
  slow,
);
