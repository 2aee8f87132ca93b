import type { DestinationType } from './define.ts';
import { googleAnalytics4 } from './google-analytics-4.ts';
import { mixpanel } from './mixpanel.ts';
import { optimizely } from './optimizely.ts';
import { webhook } from './webhook.ts';

/** Every destination type, sorted by its slug: a new one is one line here. */
export const destinationTypes: readonly DestinationType[] = [
  googleAnalytics4,
  mixpanel,
  optimizely,
  webhook,
];
