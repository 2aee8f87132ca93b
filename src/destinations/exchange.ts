import type { z } from 'zod';
import { delivered, rejected, type PartnerRequest, type PartnerResponse } from './define.ts';
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

/** The items of a request that an answer says no to, by their places. */
type Failures = readonly { index: number; reason: string }[];

/**
 * Classifies the answers of a partner that takes the good items of a request whatever the others
 * are, and lists the others by place.
 * @param statuses that such answers come with; any other goes by the status code
 * @param failures reads the list
 * @param refusal matches what says no to the whole request, whatever the status: also a list that
 * cannot be read, for nothing may count as delivered by mistake
 */
export const failuresByIndex =
  (statuses: readonly number[], failures: z.ZodType<Failures>, refusal: z.ZodType) =>
  (response: PartnerResponse, items: readonly unknown[]): Verdict | Verdict[] | undefined => {
    if (!statuses.includes(response.status)) return undefined;
    const answer = jsonOf(response);
    const listed = failures.safeParse(answer).data;
    if (listed?.every(({ index }) => index in items)) {
      const reasons = new Map(listed.map(({ index, reason }) => [index, reason]));
      return items.map((_, at) => (reasons.has(at) ? rejected(reasons.get(at)!) : delivered));
    }
    const words = `${response.status} ${response.body}`;
    return refusal.safeParse(answer).success ? rejected(words) : undefined;
  };
