import type { DestinationType, Outcome, PartnerResponse } from '../destinations/define.ts';

/** The longest pause a partner may ask for. */
const longestRetryAfterMs = 3_600_000;

const header = (response: PartnerResponse, name: string): string | undefined => {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/**
 * Reads `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3), as ms from now.
 * @returns undefined where it is absent or unreadable
 */
const retryAfterMs = (response: PartnerResponse, now: number): number | undefined => {
  const value = header(response, 'retry-after')?.trim() ?? '';
  const wait = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), longestRetryAfterMs);
};

const isTransient = (status: number): boolean =>
  status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501);

/** What a status code says where the destination type says nothing: Segment's taxonomy. */
const byStatus = ({ status, body }: PartnerResponse): Outcome => {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  const reason = `${status} ${body}`;
  if (isTransient(status)) return { kind: 'retry', reason };
  if (status === 401 || status === 403) return { kind: 'refused', reason };
  return { kind: 'rejected', reason };
};

/**
 * One outcome per item, in order. Reasons are the partner's words, neither masked nor cut yet.
 * @throws Error where the type answers with a number of outcomes that is not the items'
 */
export const classify = (
  type: DestinationType,
  response: PartnerResponse,
  items: readonly unknown[],
  now: number,
): Outcome[] => {
  const answer = type.classify?.(response, items) ?? byStatus(response);
  const outcomes = Array.isArray(answer) ? answer : items.map(() => answer);
  if (outcomes.length !== items.length) {
    throw new Error(`${type.type} classified ${outcomes.length} of ${items.length} items`);
  }
  const wait = retryAfterMs(response, now);
  return wait === undefined
    ? outcomes
    : outcomes.map((outcome) =>
        outcome.kind === 'retry' ? { retryAfterMs: wait, ...outcome } : outcome,
      );
};
