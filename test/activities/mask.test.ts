import { expect, test } from '@jest/globals';
import { createMask } from '../../src/activities/mask.ts';

test('hides a secret in every form that it travels in', () => {
  const mask = createMask(['s3cret"/key']);
  for (const form of [
    's3cret"/key',
    encodeURIComponent('s3cret"/key'),
    JSON.stringify({ key: 's3cret"/key' }),
    Buffer.from('s3cret"/key').toString('base64'),
    Buffer.from('s3cret"/key:').toString('base64'),
  ]) {
    expect(mask(`before ${form} after`)).toMatch(/^before .*\*\*\*.* after$/);
    expect(mask(form)).not.toContain('s3cret');
  }
});

test('hides the path of a secret address, which partners answer with', () => {
  const mask = createMask(['https://hooks.example/services/T0/B0/xyz?token=abc']);
  expect(mask('404 Cannot POST /services/T0/B0/xyz?token=abc')).toBe('404 Cannot POST ***');
  expect(mask('no /services/T0/B0/xyz here')).toBe('no *** here');
});

test('hides what the query of a secret address holds, however short its path', () => {
  const mask = createMask(['https://hooks.example/in?token=a-secret-of-it&v=%2Fsecret%2Ftoo']);
  expect(mask('401 no /in?token=a-secret-of-it&v=%2Fsecret%2Ftoo')).toBe('401 no ***');
  expect(mask('401 bad token a-secret-of-it')).toBe('401 bad token ***');
  expect(mask('401 bad v /secret/too')).toBe('401 bad v ***');
  expect(mask('401 bad v %2Fsecret%2Ftoo in v')).toBe('401 bad v *** in v');
});

test('cuts long words to 200 characters, in little time, and shows no part of a secret', () => {
  const secret = 'k'.repeat(100);
  const mask = createMask([secret, 'q'.repeat(100)]);
  const words = 'k'.repeat(250_000);
  const began = performance.now();
  for (let n = 0; n < 100; n++) mask(words);
  expect(performance.now() - began).toBeLessThan(1_000);
  expect(mask(words)).not.toMatch(/k/);
  expect(mask('x'.repeat(1_000))).toHaveLength(200);
});

test('makes one line of it', () => {
  expect(createMask([])('a\r\n\tb\u0000c')).toBe('a b c');
});
