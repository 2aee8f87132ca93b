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
 * are, and lists the others by place with 200 or 400; any other status speaks for itself. Nothing
 * counts as delivered by mistake: a 200 that nobody knows is tried again.
 * @param failures reads the list
 * @param refusal matches what says no to the whole request, also a list that cannot be read
 * @param receipt matches what says yes
 */
export const failuresByIndex =
  (failures: z.ZodType<Failures>, refusal: z.ZodType, receipt: z.ZodType) =>
  (response: PartnerResponse, items: readonly unknown[]): Verdict | Verdict[] | undefined => {
    if (response.status !== 200 && response.status !== 400) return undefined;
    const answer = jsonOf(response);
    const listed = failures.safeParse(answer).data;
    if (listed?.every(({ index }) => index in items)) {
      const reasons = new Map(listed.map(({ index, reason }) => [index, reason]));
      return items.map((_, at) => (reasons.has(at) ? rejected(reasons.get(at)!) : delivered));
    }
    const words = `${response.status} ${response.body}`;
    if (response.status === 400 || refusal.safeParse(answer).success) return rejected(words);
    return receipt.safeParse(answer).success ? delivered : { kind: 'retry', reason: words };
  };
