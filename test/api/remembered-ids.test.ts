import { hash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { createRememberedIds } from '../../src/api/remembered-ids.ts';

const hashOf = (n: number): Buffer => hash('sha1', `id-${n}`, 'buffer');
const hashes = (from: number, to: number): Buffer[] =>
  Array.from({ length: to - from }, (_, n) => hashOf(from + n));
const MiB = 1024 * 1024;

test('knows what was added, and nothing else', () => {
  const ids = createRememberedIds();
  const added = hashes(0, 50_000);
  for (const id of added) ids.add(id);
  expect(added.every((id) => ids.has(id))).toBe(true);
  expect(hashes(50_000, 100_000).some((id) => ids.has(id))).toBe(false);
});

test('starts small, and grows to no more than 32 MiB', () => {
  const ids = createRememberedIds();
  expect(ids.bytes()).toBeLessThan(MiB / 8);
  // Scattered numbers are as good as hashes here, and quicker.
  const id = new Uint8Array(8);
  const view = new DataView(id.buffer);
  for (let n = 0; n < 3_300_000; n++) {
    view.setUint32(0, Math.imul(n, 0x9e3779b1));
    view.setUint32(4, Math.imul(n, 0x85ebca6b));
    ids.add(id);
  }
  expect(ids.bytes()).toBe(32 * MiB);
});

test('forgets the oldest, and keeps at least as many as promised', () => {
  const promised = 64 * 48; // the least that a table can hold
  const ids = createRememberedIds(promised);
  const added = hashes(0, promised * 10);
  for (const id of added) ids.add(id);

  const lastKnown = added.slice(-promised * 0.5);
  expect(lastKnown.every((id) => ids.has(id))).toBe(true);
  expect(added.slice(0, promised * 7).some((id) => ids.has(id))).toBe(false);
  expect(ids.bytes()).toBe(2 * 64 * 64 * 8);
});

test('an id that is added again takes no more room', () => {
  const ids = createRememberedIds(64 * 48);
  const first = hashes(0, 100);
  for (const id of first) ids.add(id);
  const again = hashOf(200);
  for (let n = 0; n < 100_000; n++) ids.add(again);
  expect(first.every((id) => ids.has(id))).toBe(true);
});

test('hashes that begin and end alike are told apart, and so is one of zeros', () => {
  const ids = createRememberedIds();
  const one = Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 9);
  const other = Uint8Array.of(65, 2, 3, 4, 0, 0, 0, 9); // of the same shard and slot
  ids.add(one);
  expect([ids.has(one), ids.has(other)]).toEqual([true, false]);

  const zeros = new Uint8Array(8);
  expect(ids.has(zeros)).toBe(false);
  ids.add(zeros);
  expect(ids.has(zeros)).toBe(true);
});
