import type { PartnerName } from './arrivals.ts';
import { createGoogleAnalyticsPartner } from './google-analytics-partner.ts';
import { createMixpanelPartner } from './mixpanel-partner.ts';
import { createOptimizelyPartner } from './optimizely-partner.ts';
import type { PartnerDeps, PlayedPartner } from './partner.ts';
import { createWebhookPartner } from './webhook-partner.ts';

/** The paths that each partner is posted to. A receiver of webhooks takes what is below its own, too. */
const partnerPaths: [PartnerName, readonly string[]][] = [
  ['google-analytics-4', ['/mp/collect']],
  ['mixpanel', ['/import', '/engage', '/groups']],
  ['optimizely', ['/v1/events']],
  ['webhook', ['/webhook']],
];

/** What the partners answer to, in words. */
export const partnerRequests = partnerPaths.flatMap(([, paths]) =>
  paths.map((path) => `POST ${path}`),
);

/** Whose path it is; it has no slash at its end. */
export const partnerAt = (path: string): PartnerName | undefined =>
  partnerPaths.find(([name, paths]) =>
    paths.some((own) => path === own || (name === 'webhook' && path.startsWith(`${own}/`))),
  )?.[0];

/**
 * The partners, each with a memory of its own.
 * @param webhookSecret `whsec_…`; where absent, signatures are not looked at
 */
export const createPartners = ({
  webhookSecret,
  mostSeen,
  now,
}: PartnerDeps & { webhookSecret: string | undefined }): Record<PartnerName, PlayedPartner> => ({
  'google-analytics-4': createGoogleAnalyticsPartner({ mostSeen, now }),
  mixpanel: createMixpanelPartner({ mostSeen, now }),
  optimizely: createOptimizelyPartner({ mostSeen }),
  webhook: createWebhookPartner({ secret: webhookSecret, mostSeen, now }),
});
