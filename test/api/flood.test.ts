import { afterEach, expect, test } from '@jest/globals';
import { createReadBody } from '../../src/api/body.ts';
import { Overloaded } from '../../src/api/coalescer.ts';
import { createTurns } from '../../src/turns.ts';
import { closeServers, serveApi } from './api-server.ts';

afterEach(closeServers);

const post = (url: string, writeKey: string, body: string): Promise<Response> =>
  fetch(`${url}/v1/track`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${writeKey}:`)}` },
    body,
  });
const event = JSON.stringify({ userId: 'ada', event: 'One' });

test('a source that has too much waiting is refused before its body is parsed', async () => {
  const { url, coalescer } = await serveApi();
  coalescer.refusal = (source) =>
    source === 'website' ? new Overloaded(429, 'too fast', 2) : undefined;
  const refused = await post(url, 'website-key', 'not even JSON');
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('2');
  expect(await refused.json()).toMatchObject({ message: 'too fast' });
  expect((await post(url, 'app-key', event)).status).toBe(200);
  expect(coalescer.taken.map(({ source }) => source)).toEqual(['app']);
});

test("one source's bodies leave room for the others'", async () => {
  const readBody = createReadBody({
    bytes: 1_000,
    heldBytes: 1_000,
    heldBytesOfSource: 150,
    droppedBytes: 10_000,
  });
  const { url } = await serveApi({ readBody });
  const large = JSON.stringify({ userId: 'ada', event: 'x'.repeat(200) });
  const refused = await post(url, 'website-key', large);
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('1');
  // Nothing of what was refused is held.
  for (let times = 0; times < 20; times++) {
    expect((await post(url, 'website-key', event)).status).toBe(200);
  }
});

test('large requests take turns; small ones wait for none, and one that waits for long is refused', async () => {
  const turns = createTurns();
  const { url, coalescer } = await serveApi({ turns });
  const properties = Object.fromEntries(
    Array.from({ length: 9 }, (_, n) => [`x${n}`, 'x'.repeat(3_000)]),
  );
  const batch = Array.from({ length: 6 }, () => ({
    type: 'track',
    event: 'One',
    userId: 'ada',
    properties,
  }));
  const large = (): Promise<Response> =>
    fetch(`${url}/v1/batch`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('website-key:')}` },
      body: JSON.stringify({ batch }),
    });
  const { end } = await turns.large('another', new AbortController().signal);
  const refused = large();
  expect((await post(url, 'app-key', event)).status).toBe(200);
  expect(coalescer.events()).toHaveLength(1);
  expect((await refused).status).toBe(429);
  expect((await refused).headers.get('retry-after')).toBe('1');
  const waiting = large();
  end();
  expect((await waiting).status).toBe(200);
  expect((await large()).status).toBe(200);
  expect(coalescer.events()).toHaveLength(13);
});
