import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { openBatches } from './open-batches.ts';

const destinationsKey = defineSearchAttributeKey('Destinations', 'KEYWORD_LIST');
/** Most batches that are looked at: those of a removed destination are seldom rare among the open ones. */
const mostBatches = 20_000;
const pageSize = 1_000;

/** The destinations that open batches name. Visibility may be a moment behind. */
export const openDestinations = async (
  client: Pick<Client, 'workflow'>,
): Promise<ReadonlySet<string>> => {
  const names = new Set<string>();
  let seen = 0;
  for await (const { typedSearchAttributes } of client.workflow.list({
    query: openBatches(),
    pageSize,
  })) {
    for (const name of typedSearchAttributes.get(destinationsKey) ?? []) names.add(name);
    seen += 1;
    if (seen >= mostBatches) break;
  }
  return names;
};
