import { isToHurry } from '../activities/redrive-page.ts';
import { isChosen, type RedrivePass } from '../delivery.ts';
import { CannotOpen } from '../encryption.ts';
import type { OpenBatches } from '../temporal/open-batches.ts';
import type { RedriveRequest } from './redrive-request.ts';

/** What a pass would go through, and what a look into some of it has found. */
export interface PassCount {
  kind: RedrivePass['kind'];
  batches: number;
  /** Of the batches, how many were looked into; they answer one by one, so not always all. */
  looked: number;
  /** Of those, how many hold what is meant. */
  matching: number;
  /** What these hold of it: parked events, or deliveries that wait. */
  amount: number;
  /** Parked events by why they failed last. */
  reasons: Map<string, number>;
  /** Why no more were looked into, where they did not answer. */
  silence?: string;
}

const atOnce = 8;
/** A question costs the cluster about as much as a delivery: so many give the picture. */
const enough = 200;

/** @returns how much of the request a batch holds, by reason; undefined where it has ended */
const lookInto = async (
  { destination, choice }: RedriveRequest,
  kind: RedrivePass['kind'],
  batches: OpenBatches,
  batch: string,
): Promise<[reason: string, amount: number][] | undefined> => {
  if (kind === 'hurry') {
    const waiting = await batches.backedOff(batch, destination);
    return waiting
      ?.filter((delivery) => isToHurry(choice, destination, delivery))
      .map(() => ['waiting', 1]);
  }
  const state = await batches.state(batch);
  return (state?.[destination]?.unsettled ?? [])
    .filter((part) => part.parkedAt !== undefined && isChosen(choice, destination, part))
    .map(({ code, count }) => [code ?? 'unknown', count]);
};

/**
 * Counts what a pass would go through; looks into some of it, and on until something is found that is
 * meant, so that what comes to nothing is known beforehand.
 */
const countPass = async (
  request: RedriveRequest,
  { kind, query }: RedrivePass,
  batches: OpenBatches,
): Promise<PassCount> => {
  const total = await batches.count(query);
  const found: PassCount = {
    ...{ kind, batches: total, looked: 0, matching: 0, amount: 0 },
    reasons: new Map(),
  };
  const note = (parts: [string, number][] | undefined): void => {
    found.looked += 1;
    if (parts === undefined || parts.length === 0) return;
    found.matching += 1;
    for (const [reason, amount] of parts) {
      found.amount += amount;
      found.reasons.set(reason, (found.reasons.get(reason) ?? 0) + amount);
    }
  };
  let token: string | undefined;
  do {
    const page = await batches.list(query, enough, token);
    const rest = page.ids.values();
    const look = async (): Promise<void> => {
      for (const batch of rest) {
        if (found.silence !== undefined) return;
        try {
          note(await lookInto(request, kind, batches, batch));
        } catch (error) {
          if (error instanceof CannotOpen) throw error;
          found.silence = error instanceof Error ? error.message : String(error);
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, look));
    ({ token } = page);
  } while (token !== undefined && found.matching === 0 && found.silence === undefined);
  return found;
};

/**
 * Counts what a redrive would go through. Nothing is changed.
 * @throws CannotOpen where a key is missing
 */
export const countRedrive = async (
  request: RedriveRequest,
  batches: OpenBatches,
): Promise<PassCount[]> => {
  const counts: PassCount[] = [];
  for (const pass of request.passes) counts.push(await countPass(request, pass, batches));
  return counts;
};

const number = (value: number): string => value.toLocaleString('en-US');
const batchesWords = (count: number): string =>
  count === 1 ? '1 batch' : `${number(count)} batches`;

/** A count, in a line or two. */
export const countWords = ({ words }: RedriveRequest, count: PassCount): string => {
  const { kind, batches, looked, matching, amount, reasons, silence } = count;
  const head =
    kind === 'redrive'
      ? `${batchesWords(batches)} with events parked`
      : `${batchesWords(batches)} not settled, to be looked through for deliveries that wait`;
  if (batches === 0) return `${head} ${words}`;
  if (looked === 0 || (silence !== undefined && matching === 0)) {
    return `${head} ${words} (they do not say how many events: ${silence ?? 'they have ended'})`;
  }
  const scope = looked < batches ? `the ${number(looked)} that were looked into: ` : '';
  const what =
    kind === 'hurry'
      ? `${number(amount)} deliveries wait, in ${batchesWords(matching)}`
      : `${number(amount)} events in ${batchesWords(matching)}, ` +
        [...reasons]
          .sort(([, one], [, other]) => other - one)
          .map(([reason, events]) => `${reason} ${number(events)}`)
          .join(', ');
  return `${head} ${words}\n  ${scope}${what}`;
};
