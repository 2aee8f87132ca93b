import { tmpdir } from 'node:os';
import { expect, test } from '@jest/globals';
import { runProduct } from './support/product.ts';

const help = async (...args: string[]): Promise<string> => {
  const product = runProduct([...args, '--help'], { cwd: tmpdir() });
  expect(await product.exited).toBe(0);
  return product.stdout();
};

test('every command has help, with an example', async () => {
  const listed = [...(await help()).matchAll(/^ {2}([a-z-]+)(?: \[| <)/gm)];
  const names = listed.map(([, name]) => name!).filter((name) => name !== 'help');
  expect(names).toContain('start');
  const texts = await Promise.all(names.map((name) => help(name)));
  const without = names.filter(
    (name, n) => !texts[n]!.includes(`distributary ${name} `) || !/^Examples?:$/m.test(texts[n]!),
  );
  expect(without).toEqual([]);
}, 120_000);
