import { insist } from './define.ts';

/** A number, or the one that a text holds in decimal digits. Anything else: undefined. */
export const numberIn = (value: unknown): number | undefined => {
  const isText = typeof value === 'string' && /^\s*-?\d+(\.\d+)?\s*$/.test(value);
  const number = isText ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
};

/** The same, of an integer. */
export const integerIn = (value: unknown): number | undefined => {
  const number = numberIn(value);
  return Number.isSafeInteger(number) ? number : undefined;
};

/**
 * An amount in decimal units of its currency, as Segment's events have it: a number, or a text that
 * holds one, with or without a dollar sign. Anything else: undefined.
 */
export const amountIn = (value: unknown): number | undefined =>
  numberIn(typeof value === 'string' ? value.replace(/^(\s*-?)\$/, '$1') : value);

/**
 * The same, of an amount that matters: undefined only where it is absent, null or empty.
 * @throws Error where it is something else
 */
export const amount = (value: unknown): number | undefined => {
  const units = amountIn(value);
  const isAbsent = value === undefined || value === null || value === '';
  insist(units !== undefined || isAbsent, 'an amount of money is not a number');
  return units;
};

/**
 * An amount in hundredths, rounded half away from zero. It is shifted as decimal text: 1.005 × 100
 * is 100.49999999999999 as floats go.
 * @throws Error where the integer would not be exact
 */
export const hundredths = (units: number): number => {
  const [digits, exponent = '0'] = String(Math.abs(units)).split('e');
  const whole = Math.round(Number(`${digits!}e${Number(exponent) + 2}`));
  insist(Number.isSafeInteger(whole), 'an amount of money is too large');
  return units < 0 && whole > 0 ? -whole : whole;
};
