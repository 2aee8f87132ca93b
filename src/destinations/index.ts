import type { DestinationType } from './define.ts';
import { mixpanel } from './mixpanel.ts';
import { webhook } from './webhook.ts';

/** Every destination type, sorted by its slug: a new one is one line here. */
export const destinationTypes: readonly DestinationType[] = [mixpanel, webhook];
