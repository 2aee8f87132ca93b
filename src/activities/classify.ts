import type { DestinationType, Outcome, PartnerResponse, Verdict } from '../destinations/define.ts';

/** The longest pause a partner may ask for. */
const longestRetryAfterMs = 3_600_000;

const header = (response: PartnerResponse, name: string): string | undefined => {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

// IMF-fixdate, the one form of date that RFC 9110 lets senders use; Date.parse takes nearly anything.
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Reads `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3), as ms from now.
 * @returns undefined where it is absent, unreadable or over: then the retry policy's delay holds
 */
const retryAfterMs = (response: PartnerResponse, now: number): number | undefined => {
  const value = header(response, 'retry-after')?.trim() ?? '';
  const wait = /^\d+(\.\d+)?$/.test(value)
    ? Number(value) * 1_000
    : httpDate.test(value)
      ? Date.parse(value) - now
      : 0;
  return wait > 0 ? Math.min(wait, longestRetryAfterMs) : undefined;
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

/** What says no to one request alone: it came before, or is too large. */
const ofOneRequest = new Set([409, 413]);

/** What an answer says. */
export interface Answered {
  /** One per item, in order. Reasons are the partner's words, neither masked nor cut yet. */
  verdicts: Verdict[];
  /** Whether it may say so of any request, as a wrong address or account is answered, whatever is sent. */
  mayConcernAll: boolean;
}

/**
 * @throws Error where the type answers with a number of verdicts that is not the items'
 */
export const classify = (
  type: DestinationType,
  response: PartnerResponse,
  items: readonly unknown[],
  now: number,
): Answered => {
  const answer = type.classify?.(response, items) ?? byStatus(response);
  const isOfEach = Array.isArray(answer);
  const verdicts = isOfEach ? answer : items.map(() => answer);
  if (verdicts.length !== items.length) {
    throw new Error(`${type.type} classified ${verdicts.length} of ${items.length} items`);
  }
  const wait = retryAfterMs(response, now);
  return {
    verdicts:
      wait === undefined
        ? verdicts
        : verdicts.map((verdict) =>
            verdict.kind === 'retry' ? { retryAfterMs: wait, ...verdict } : verdict,
          ),
    mayConcernAll: !isOfEach && !ofOneRequest.has(response.status),
  };
};
