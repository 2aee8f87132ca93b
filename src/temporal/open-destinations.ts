import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { openBatches } from './open-batches.ts';

const destinationsKey = defineSearchAttributeKey('Destinations', 'KEYWORD_LIST');
const pageSize = 1_000;

/** The destinations that open batches name. Visibility may be a moment behind. */
export const openDestinations = async (
  client: Pick<Client, 'workflow'>,
): Promise<ReadonlySet<string>> => {
  const names = new Set<string>();
  for await (const { typedSearchAttributes } of client.workflow.list({
    query: openBatches(),
    pageSize,
  })) {
    for (const name of typedSearchAttributes.get(destinationsKey) ?? []) names.add(name);
  }
  return names;
};
