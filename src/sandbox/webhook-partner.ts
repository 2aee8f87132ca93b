import { createHmac, timingSafeEqual } from 'node:crypto';
import { createSeen, isObject, readJson, textsOf } from './partner.ts';
import type { PartnerCall, PartnerDeps, PlayedPartner } from './partner.ts';

/** How far a timestamp may be off, in s; as the libraries of Standard Webhooks have it. */
const toleranceSeconds = 300;

/** Why a receiver that follows Standard Webhooks would not take a request. */
const objection = (
  { headers, body }: PartnerCall,
  secret: string | undefined,
  nowSeconds: number,
): string | undefined => {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signatures = headers['webhook-signature'];
  if (typeof id !== 'string') return 'the header webhook-id is missing';
  if (typeof timestamp !== 'string') return 'the header webhook-timestamp is missing';
  if (secret === undefined) return undefined;
  if (typeof signatures !== 'string') return 'the header webhook-signature is missing';
  if (!(Math.abs(Number(timestamp) - nowSeconds) <= toleranceSeconds)) {
    return 'webhook-timestamp is more than 5 minutes off';
  }
  const expected = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
    .update(`${id}.${timestamp}.${body}`)
    .digest();
  const isGood = signatures.split(' ').some((signature) => {
    const [version, digest = ''] = signature.split(',');
    const given = Buffer.from(digest, 'base64');
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
  });
  return isGood ? undefined : 'webhook-signature does not fit the body';
};

/**
 * Plays a receiver of webhooks.
 * @param secret `whsec_…`; where absent, signatures are not looked at
 */
export const createWebhookPartner = ({
  secret,
  mostSeen,
  now,
}: PartnerDeps & { secret: string | undefined }): PlayedPartner => {
  const isSeen = createSeen(mostSeen);
  return (call) => {
    const content = readJson(call.body);
    const event = isObject(content) ? content : {};
    const { previousId, userId, ...names } = textsOf(event, [
      'event',
      'name',
      'groupId',
      'previousId',
      'userId',
    ]);
    const id = textsOf(call.headers, ['webhook-id']);
    const told = {
      kind: textsOf(event, ['type'])['type'] ?? '',
      name: names['event'] ?? names['name'] ?? names['groupId'] ?? previousId ?? userId ?? '',
      ids: { ...textsOf(event, [userId === undefined ? 'anonymousId' : 'userId']), ...id },
      content: content ?? call.body,
    };
    const reason = objection(call, secret, now() / 1_000);
    if (reason !== undefined) {
      const body = { error: reason };
      return { status: 400, body, arrivals: [{ ...told, verdict: 'rejected', reason }] };
    }
    const verdict = isSeen(id['webhook-id']!) ? 'duplicate' : 'accepted';
    return { status: 200, body: { ok: true }, arrivals: [{ ...told, verdict }] };
  };
};
