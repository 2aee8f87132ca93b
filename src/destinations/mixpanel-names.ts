import { z } from 'zod';
import type { NameRule } from './event-names.ts';
import { placeTable, type NamesByField } from './fields.ts';

// Mixpanel's words, as data: a file of its own so that mixpanel.ts shows what is done with them.

export const notes = [
  'Events have an $insert_id made of their messageId, by which Mixpanel knows a repeated one; it looks',
  'at the time, too, so that what a client sends twice hours apart, with a corrected clock, may show',
  'twice. Profiles of people and groups are set, never counted. alias has no effect where the project',
  'merges identities the simplified way; nor has one of two ids that are the same, which is what',
  'analytics.js sends after identify, so that one is filtered. Events that change identities',
  '($identify, $create_alias, $merge) are rejected when they come as track.',
].join(' ');

/** Where the projects of each region are: docs/privacy/eu-residency, docs/privacy/in-residency. */
export const origins = {
  us: 'https://api.mixpanel.com',
  eu: 'https://api-eu.mixpanel.com',
  in: 'https://api-in.mixpanel.com',
} as const;

/** Segment's context by Mixpanel's names: docs/data-structure/property-reference. */
export const contextNames = placeTable({
  ip: 'ip',
  $app_version_string: 'app.version',
  $current_url: 'page.url',
  $group_id: 'groupId',
  $model: 'device.model',
  $os: 'os.name',
  $os_version: 'os.version',
  $referrer: 'page.referrer',
  utm_campaign: 'campaign.name',
  utm_content: 'campaign.content',
  utm_medium: 'campaign.medium',
  utm_source: 'campaign.source',
  utm_term: 'campaign.term',
});

/** Traits by Mixpanel's names: docs/data-structure/property-reference/reserved-properties. */
export const profileNames: NamesByField = {
  avatar: '$avatar',
  created: '$created',
  createdAt: '$created',
  email: '$email',
  firstName: '$first_name',
  lastName: '$last_name',
  name: '$name',
  phone: '$phone',
};

/** A write key is public, and a merge of people is for ever. */
export const eventNames: NameRule = {
  taken: /^(?!\$(create_alias|identify|merge)$)/,
  otherwise: 'changes identities: call identify or alias instead',
};

/** The records that an answer says no to. */
export const FailedRecords = z
  .object({
    failed_records: z
      .array(
        z.object({
          index: z.int(),
          field: z.string().default('the record'),
          message: z.string().default('was refused'),
        }),
      )
      .min(1),
    num_records_imported: z.int().optional(),
  })
  .transform(({ failed_records, num_records_imported }) => ({
    failures: failed_records.map(({ index, field, message }) => ({
      index,
      reason: `${field}: ${message}`,
    })),
    taken: num_records_imported,
  }));

/** How 200 says no: 0, or with verbose=1 in words, or none was taken. */
export const Refusal = z.union([
  z.literal(0),
  z.object({ status: z.literal(0) }),
  z.object({ error: z.string().min(1) }),
  z.object({ failed_records: z.array(z.unknown()).min(1) }),
  z.object({ num_records_imported: z.literal(0) }),
]);
