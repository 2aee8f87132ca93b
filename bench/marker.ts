/**
 * What every event of a benchmark carries, so that a partner tells without parsing which event it
 * is, and when it should have been sent: one letter for its group, its number and the time in ms.
 */
export const marker = (group: string, number: number, scheduledAt: number): string =>
  `"bench":"${group}${String(number).padStart(10, '0')}t${Math.floor(scheduledAt)}"`;

const start = Buffer.from('"bench":"');
const groupAt = start.length;
const numberAt = groupAt + 1;
const timeAt = numberAt + 11;
const digits = 13;

const readDigits = (body: Buffer, from: number, length: number): number => {
  let value = 0;
  for (let at = from; at < from + length; at++) value = value * 10 + body[at]! - 48;
  return value;
};

/** Calls back with each marker in a request's body. */
export const readMarkers = (
  body: Buffer,
  found: (group: string, number: number, scheduledAt: number) => void,
): void => {
  for (let at = body.indexOf(start); at !== -1; at = body.indexOf(start, at + timeAt)) {
    found(
      String.fromCharCode(body[at + groupAt]!),
      readDigits(body, at + numberAt, 10),
      readDigits(body, at + timeAt, digits),
    );
  }
};
