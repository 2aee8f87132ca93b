export const writeKey = 'a-write-key-of-the-test';

/** A configuration of one source and a destination of each type, all of them at one address. */
export const fourDestinations = (
  endpoint: string,
  webhook: { path: string; secret?: string },
): { sources: object[]; destinations: object[]; network: object } => {
  const { path, ...signed } = webhook;
  const ofGoogle = { measurementId: 'G-TEST000000', apiSecret: 'an-api-secret-of-the-test' };
  const ofMixpanel = { projectToken: 'a-project-token-of-the-test' };
  return {
    sources: [{ name: 'website', writeKey }],
    destinations: [
      { name: 'ga4', type: 'google-analytics-4', settings: ofGoogle, endpoint },
      { name: 'mixpanel', type: 'mixpanel', settings: ofMixpanel, endpoint },
      { name: 'optimizely', type: 'optimizely', settings: { accountId: '17' }, endpoint },
      { name: 'hook', type: 'webhook', settings: { url: endpoint + path, ...signed } },
    ],
    network: { allowPrivate: true },
  };
};
