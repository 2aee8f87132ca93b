import type { z } from 'zod';
import {
  blocked,
  delivered,
  rejected,
  type PartnerRequest,
  type PartnerResponse,
} from './define.ts';
import type { Verdict } from './define.ts';

/** A request whose body is JSON. */
export const post = (
  url: string,
  content: unknown,
  headers: Record<string, string> = {},
): PartnerRequest => ({
  method: 'POST',
  url,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(content),
});

/** The header of HTTP's basic authentication (RFC 7617). */
export const basicAuth = (user: string, password = ''): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

/** An answer's body as JSON; undefined where it is none. */
const jsonOf = ({ body }: PartnerResponse): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

/** A 2xx with a page for people: something other than the partner's API has answered. */
export const pagesAreNoAnswer = ({ status, body }: PartnerResponse): Verdict | undefined =>
  status >= 200 && status < 300 && /^\s*</.test(body)
    ? { kind: 'retry', reason: `${status} ${body}` }
    : undefined;

/** What an answer says no to, by the items' places, and how many others it says were taken. */
interface Failures {
  failures: readonly { index: number; reason: string }[];
  taken?: number | undefined;
}

/**
 * Classifies the answers of a partner that takes the good items of a request whatever the others
 * are, and lists the others by place with 200 or 400; any other status speaks for itself. Nothing
 * counts as delivered by mistake: what does not add up is told of no item, and a page of nobody's.
 * @param list reads such a list
 * @param refusal matches what says no to the whole request, whatever the status
 */
export const failuresByIndex =
  (list: z.ZodType<Failures>, refusal: z.ZodType) =>
  (response: PartnerResponse, items: readonly unknown[]): Verdict | Verdict[] | undefined => {
    if (response.status !== 200 && response.status !== 400) return undefined;
    const answer = jsonOf(response);
    const { failures, taken } = list.safeParse(answer).data ?? {};
    if (failures?.every(({ index }) => index in items)) {
      const reasons = new Map(failures.map(({ index, reason }) => [index, reason]));
      if (taken === undefined || taken === items.length - reasons.size) {
        return items.map((_, at) => (reasons.has(at) ? rejected(reasons.get(at)!) : delivered));
      }
    }
    return response.status === 400 || refusal.safeParse(answer).success
      ? blocked(`${response.status} ${response.body}`)
      : pagesAreNoAnswer(response);
  };
