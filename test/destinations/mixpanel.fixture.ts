import type { PartnerResponse } from '../../src/destinations/define.ts';
import type { JsonObject } from '../../src/event.ts';
import {
  aliasEvent,
  groupEvent,
  identifyEvent,
  pageEvent,
  screenEvent,
  trackEvent,
  without,
} from '../support/events.ts';
import type { DestinationFixture, Provenance } from './fixture.ts';

const documented = (reference: string): Provenance => ({
  from: 'documented',
  reference,
  date: '2026-11-22',
});
const importEvents = documented('Import Events, https://docs.mixpanel.com/reference/import-events');
const specification = documented(
  'Ingestion API, https://github.com/mixpanel/docs/blob/main/openapi/ingestion.openapi.yaml',
);
const simplified = documented(
  'Identifying Users (Simplified), https://docs.mixpanel.com/docs/tracking-methods/id-management/identifying-users-simplified',
);
const createAlias = documented(
  'Create Alias, https://docs.mixpanel.com/reference/identity-create-alias',
);
const reservedProperties = documented(
  'Reserved Properties, https://docs.mixpanel.com/docs/data-structure/property-reference/reserved-properties',
);

const projectToken = 'b7f21c0d9e5a46d8a1c3';
/** `printf 'b7f21c0d9e5a46d8a1c3:' | base64` */
const authorization = 'Basic YjdmMjFjMGQ5ZTVhNDZkOGExYzM6';

const request = (path: string, body: JsonObject[], host = 'api.mixpanel.com') => ({
  method: 'POST' as const,
  url: `https://${host}/${path}`,
  headers: { authorization, 'content-type': 'application/json' },
  body,
});

/** What the shared parts of the built events come to. */
const jane = {
  ip: '203.0.113.9',
  $current_url: 'https://shop.example/offers?p=2',
  $referrer: 'https://search.example/',
  time: 1_772_618_370_250,
  distinct_id: 'jane-17',
  $device_id: '0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60',
  $user_id: 'jane-17',
};

const answer = (status: number, body: unknown): PartnerResponse => ({
  status,
  headers: {},
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

const three = [trackEvent(), pageEvent(), screenEvent()];
const delivered = { kind: 'delivered' } as const;

export const fixture: DestinationFixture = {
  settings: { projectToken },
  secrets: ['projectToken'],
  attempt: { time: 1_772_618_520_900 },
  limits: { provenance: importEvents, items: 2_000, bytes: 2_000_000 },
  requests: [
    {
      title: 'track, page and screen share an import',
      provenance: importEvents,
      events: three,
      request: request('import?strict=1', [
        {
          event: 'Article Added',
          properties: {
            ...jane,
            sku: 'G-32',
            price: 18.99,
            sizes: ['S', 'M'],
            $insert_id: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d01',
          },
        },
        {
          event: 'Viewed Offers',
          properties: {
            ...jane,
            name: 'Offers',
            category: 'Shop',
            path: '/offers',
            $insert_id: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d03',
          },
        },
        {
          event: 'Viewed Basket',
          properties: {
            ...jane,
            name: 'Basket',
            articles: 3,
            $insert_id: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d04',
          },
        },
      ]),
    },
    {
      title: 'an unknown visitor has a device alone, and no address of ours',
      provenance: simplified,
      events: [without(trackEvent({ context: {}, properties: {}, messageId: 'cart-5' }), 'userId')],
      request: request('import?strict=1', [
        {
          event: 'Article Added',
          properties: {
            ip: 0,
            time: 1_772_618_370_250,
            distinct_id: '0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60',
            $device_id: '0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60',
            $insert_id: 'cart-5',
          },
        },
      ]),
    },
    {
      title: 'context by Mixpanel names; own properties win over it, and identity over these',
      provenance: documented(
        'Default Properties, https://docs.mixpanel.com/docs/data-structure/property-reference/default-properties',
      ),
      events: [
        trackEvent({
          context: {
            app: { version: '2.0' },
            campaign: {
              name: 'spring',
              source: 'mail',
              medium: 'email',
              term: 'sale',
              content: 'b',
            },
            device: { model: 'Pixel 9' },
            groupId: 'acme',
            os: { name: 'Android', version: '16' },
            page: { url: 'https://shop.example/' },
          },
          properties: {
            $os: 'iOS',
            time: 5,
            distinct_id: 'eve',
            $insert_id: 'again',
            $user_id: 'eve',
            $device_id: 'eve',
          },
        }),
      ],
      request: request('import?strict=1', [
        {
          event: 'Article Added',
          properties: {
            ip: 0,
            $app_version_string: '2.0',
            $current_url: 'https://shop.example/',
            $group_id: 'acme',
            $model: 'Pixel 9',
            $os: 'iOS',
            $os_version: '16',
            utm_campaign: 'spring',
            utm_content: 'b',
            utm_medium: 'email',
            utm_source: 'mail',
            utm_term: 'sale',
            time: 1_772_618_370_250,
            distinct_id: 'jane-17',
            $device_id: '0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60',
            $user_id: 'jane-17',
            $insert_id: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d01',
          },
        },
      ]),
    },
    {
      title: 'an id that is too long, of other characters or banned is hashed',
      provenance: importEvents,
      events: [
        trackEvent({ messageId: 'order-17-created-at-the-counter-of-the-shop', properties: {} }),
        trackEvent({ messageId: 'order/17', properties: {} }),
        trackEvent({ messageId: 'null', properties: {} }),
      ],
      request: request('import?strict=1', [
        {
          event: 'Article Added',
          properties: { ...jane, $insert_id: '089af954a870c5f6bafcb2347f23ef64a911' },
        },
        {
          event: 'Article Added',
          properties: { ...jane, $insert_id: 'ba125075dcddef7ae87e8bdf937ab1216cb8' },
        },
        {
          event: 'Article Added',
          properties: { ...jane, $insert_id: '74234e98afe7498fb5daf1f36ac2d78acc33' },
        },
      ]),
    },
    {
      title: 'an alias, for projects older than the simplified merging of identities',
      provenance: createAlias,
      events: [aliasEvent()],
      request: request('import?strict=1', [
        {
          event: '$create_alias',
          properties: {
            ip: '203.0.113.9',
            $current_url: 'https://shop.example/offers?p=2',
            $referrer: 'https://search.example/',
            token: projectToken,
            distinct_id: 'jane@shop.example',
            alias: 'jane-17',
            time: 1_772_618_370_250,
            $insert_id: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d06',
          },
        },
      ]),
    },
    {
      title: 'an alias of oneself says nothing',
      provenance: createAlias,
      events: [aliasEvent({ previousId: 'jane-17' })],
      request: null,
    },
    {
      title: 'identify sets a profile, in the region of the project',
      provenance: reservedProperties,
      events: [
        identifyEvent({
          traits: {
            avatar: 'https://shop.example/jane.png',
            createdAt: '2025-01-31T08:00:00Z',
            email: 'jane@shop.example',
            firstName: 'Jane',
            lastName: 'Dürr',
            name: 'Jane Dürr',
            phone: '+41 44 555 01 23',
            plan: 'plus',
            toString: 'a trait like any other',
          },
        }),
      ],
      settings: { projectToken, region: 'eu' },
      request: request(
        'engage?strict=1&verbose=1&ip=0',
        [
          {
            $token: projectToken,
            $distinct_id: 'jane-17',
            $ip: '203.0.113.9',
            $set: {
              $avatar: 'https://shop.example/jane.png',
              $created: '2025-01-31T08:00:00Z',
              $email: 'jane@shop.example',
              $first_name: 'Jane',
              $last_name: 'Dürr',
              $name: 'Jane Dürr',
              $phone: '+41 44 555 01 23',
              plan: 'plus',
              toString: 'a trait like any other',
            },
          },
        ],
        'api-eu.mixpanel.com',
      ),
    },
    {
      title: "an unknown visitor's profile is that of the device",
      provenance: simplified,
      events: [without(identifyEvent({ traits: { plan: 'trial' }, context: {} }), 'userId')],
      request: request('engage?strict=1&verbose=1&ip=0', [
        {
          $token: projectToken,
          $distinct_id: '$device:0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60',
          $set: { plan: 'trial' },
        },
      ]),
    },
    {
      title: 'group sets the profile of a group',
      provenance: specification,
      events: [groupEvent()],
      request: request('groups?strict=1&verbose=1&ip=0', [
        {
          $token: projectToken,
          $group_key: '$group_id',
          $group_id: 'acme',
          $set: { $name: 'Acme AG', employees: 420 },
        },
      ]),
    },
  ],
  unmappable: [
    {
      event: without(trackEvent({ userId: 'undefined' }), 'anonymousId'),
      reason: 'the id "undefined" names nobody',
    },
    {
      event: without(identifyEvent({ anonymousId: 'anonymous' }), 'userId'),
      reason: 'the id "anonymous" names nobody',
    },
    {
      event: without(without(trackEvent(), 'userId'), 'anonymousId'),
      reason: 'the id "" names nobody',
    },
    {
      event: aliasEvent({ previousId: 'null' }),
      reason: 'the id "null" names nobody',
    },
    {
      event: trackEvent({ event: '$merge', properties: { $distinct_ids: ['jane-17', 'eve'] } }),
      reason: '$merge changes identities: call identify or alias instead',
    },
  ],
  responses: [
    {
      title: 'all were taken',
      provenance: specification,
      events: three,
      response: answer(200, { code: 200, num_records_imported: 3, status: 'OK' }),
      verdicts: [delivered, delivered, delivered],
    },
    {
      title: 'the records named failed, the others were taken',
      provenance: specification,
      events: three,
      response: answer(400, {
        code: 400,
        error: 'some data points in the request failed validation',
        num_records_imported: 2,
        status: 'Bad Request',
        failed_records: [
          {
            index: 1,
            insert_id: '7f3d1c52-9d0a-4b7e-8a55-0e6f1b2c3d03',
            field: 'properties.time',
            message: "'properties.time' is invalid: must be specified as seconds since epoch",
          },
        ],
      }),
      verdicts: [
        delivered,
        {
          kind: 'rejected',
          reason:
            "properties.time: 'properties.time' is invalid: must be specified as seconds since epoch",
        },
        delivered,
      ],
    },
    {
      title: 'failed records of no known place: nothing counts as delivered',
      provenance: specification,
      events: three,
      response: answer(400, { code: 400, failed_records: [{ index: 3, message: 'is invalid' }] }),
      verdicts: three.map(() => ({
        kind: 'blocked',
        reason: '400 {"code":400,"failed_records":[{"index":3,"message":"is invalid"}]}',
      })),
    },
    {
      title: 'failed records in another shape: nothing counts as delivered',
      provenance: specification,
      events: three,
      response: answer(200, { code: 200, failed_records: [{ id: 'x' }] }),
      verdicts: three.map(() => ({
        kind: 'blocked',
        reason: '200 {"code":200,"failed_records":[{"id":"x"}]}',
      })),
    },
    {
      title: '400 without a list',
      provenance: specification,
      events: [trackEvent()],
      response: answer(400, 'not JSON'),
      verdicts: [{ kind: 'blocked', reason: '400 not JSON' }],
    },
    {
      title: 'a wrong token concerns the connection',
      provenance: specification,
      events: [trackEvent()],
      response: answer(401, { code: 401, error: 'Invalid credentials', status: 'Unauthorized' }),
      verdicts: [
        {
          kind: 'refused',
          reason: '401 {"code":401,"error":"Invalid credentials","status":"Unauthorized"}',
        },
      ],
    },
    {
      title: 'too fast',
      provenance: specification,
      events: [trackEvent()],
      response: answer(429, { code: 429, error: 'slower', status: 'Too Many Requests' }),
      verdicts: [
        {
          kind: 'retry',
          reason: '429 {"code":429,"error":"slower","status":"Too Many Requests"}',
        },
      ],
    },
    {
      title: 'a profile was set',
      provenance: specification,
      events: [identifyEvent()],
      response: answer(200, { status: 1, error: null }),
      verdicts: [delivered],
    },
    {
      title: 'a profile was set, not verbosely',
      provenance: specification,
      events: [identifyEvent()],
      response: answer(200, '1'),
      verdicts: [delivered],
    },
    {
      title: 'a page instead: something else has answered',
      provenance: specification,
      events: three,
      response: answer(200, '<html>Please log in</html>'),
      verdicts: three.map(() => ({ kind: 'retry', reason: '200 <html>Please log in</html>' })),
    },
    {
      title: '200, and none was taken',
      provenance: specification,
      events: three,
      response: answer(200, { code: 200, num_records_imported: 0, status: 'OK' }),
      verdicts: three.map(() => ({
        kind: 'blocked',
        reason: '200 {"code":200,"num_records_imported":0,"status":"OK"}',
      })),
    },
    {
      title: 'a list that does not add up with what was taken',
      provenance: specification,
      events: three,
      response: answer(400, {
        num_records_imported: 0,
        failed_records: [{ index: 0, message: 'is invalid' }],
      }),
      verdicts: three.map(() => ({
        kind: 'blocked',
        reason:
          '400 {"num_records_imported":0,"failed_records":[{"index":0,"message":"is invalid"}]}',
      })),
    },
    {
      title: 'failed records without words',
      provenance: specification,
      events: three,
      response: answer(400, { num_records_imported: 2, failed_records: [{ index: 0 }] }),
      verdicts: [{ kind: 'rejected', reason: 'the record: was refused' }, delivered, delivered],
    },
    {
      title: '200 that means no',
      provenance: documented(
        'fix(mp): engage/groups API errors silently treated as success, https://github.com/rudderlabs/rudder-transformer/pull/5060',
      ),
      events: [identifyEvent()],
      response: answer(200, { error: '$distinct_id, missing or empty', status: 0 }),
      verdicts: [
        { kind: 'blocked', reason: '200 {"error":"$distinct_id, missing or empty","status":0}' },
      ],
    },
    {
      title: '200 that means no, not verbosely',
      provenance: specification,
      events: [groupEvent()],
      response: answer(200, '0'),
      verdicts: [{ kind: 'blocked', reason: '200 0' }],
    },
  ],
  mistakes: [
    { settings: {}, path: 'projectToken' },
    { settings: { projectToken: '' }, path: 'projectToken' },
    { settings: { projectToken: 'a token' }, path: 'projectToken' },
    { settings: { projectToken, region: 'EU' }, path: 'region' },
  ],
  dedupeKeys: ({ url, body }) =>
    (JSON.parse(body) as Record<string, JsonObject>[]).map((record) =>
      // Profiles are not deduplicated: to set a value again changes nothing.
      url.includes('/import')
        ? JSON.stringify([
            record['event'],
            record['properties']!['time'],
            record['properties']!['distinct_id'],
            record['properties']!['$insert_id'],
          ])
        : JSON.stringify(record),
    ),
};
