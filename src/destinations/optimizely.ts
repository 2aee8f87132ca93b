import { z } from 'zod';
import type { TrackEvent } from '../event.ts';
import { blocked, defineDestination, idText } from './define.ts';
import { pagesAreNoAnswer, post } from './exchange.ts';
import { scalars } from './fields.ts';
import { personOf, uuidOf } from './ids.ts';
import { amount, hundredths, integerIn, numberIn } from './money.ts';

const notes = [
  'A track call is sent as a conversion of its visitor, whom your Optimizely SDK has to have bucketed;',
  'no other call is. Optimizely takes what is well formed, and does not say whether it knows the event,',
  'visitor or account. It wants the id of an event besides its key: give them as eventIds ({ Order',
  'Completed: 20410805626 }), as the datafile of your sdkKey lists them; nothing fetches it. With them',
  'other events are filtered; without, keys alone are sent. revenue, or else total, is in decimals.',
].join(' ');

const visitorOf = ({ properties, ...event }: TrackEvent, entity_id: string | undefined) => {
  const { revenue, value, quantity, ...others } = properties;
  const total = event.event === 'Order Completed' ? others['total'] : undefined;
  const units = amount(revenue === '' ? total : (revenue ?? total));
  const conversion = {
    entity_id,
    key: event.event,
    uuid: uuidOf(event.messageId), // what Optimizely knows a repeated event by
    timestamp: Date.parse(event.timestamp),
    revenue: units === undefined ? undefined : hundredths(units),
    value: numberIn(value),
    quantity: integerIn(quantity),
    tags: scalars(others),
  };
  return { visitor_id: personOf(event), snapshots: [{ decisions: [], events: [conversion] }] };
};

export const optimizely = defineDestination({
  type: 'optimizely',
  name: 'Optimizely Full Stack',
  otherNames: ['Optimizely X', 'Optimizely Feature Experimentation (Actions)', 'Optimizely'],
  docs: 'https://docs.developers.optimizely.com/experimentation-data/reference/post_events',
  notes,
  settings: z.strictObject({
    accountId: idText('must be the id of an account'),
    sdkKey: z.string().min(1).optional(), // nothing is done with it: see the notes
    eventIds: z.record(z.string(), idText('must be the id of an event')).optional(),
  }),
  events: {
    track: (event, { eventIds }) => {
      const isKnown = eventIds === undefined || Object.hasOwn(eventIds, event.event);
      return isKnown ? visitorOf(event, eventIds?.[event.event]) : null;
    },
  },
  batch: { max: 500, maxBytes: 3_500_000 },
  // Without decisions of its own a conversion counts for those that Optimizely knows of its visitor.
  request: (visitors, { accountId: account_id }) => {
    const body = { account_id, client_name: 'distributary', enrich_decisions: true, visitors };
    return post('https://logx.optimizely.com/v1/events', body, { 'x-optimizely-strict': 'true' });
  },
  // The strict header has the whole request refused for one event that is not well formed.
  classify: (response) =>
    response.status === 400 ? blocked(`400 ${response.body}`) : pagesAreNoAnswer(response),
});
