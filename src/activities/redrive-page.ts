import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, type Context } from '@temporalio/activity';
import {
  isChosen,
  type Choice,
  type OperationActivities,
  type RedrivePageAnswer,
  type RedrivePageInput,
  type Unsettled,
} from '../delivery.ts';
import type { WaitingDelivery } from './waiting-room.ts';

/** A delivery that waits for its next attempt. */
export interface BackedOff extends WaitingDelivery {
  /** What it still has to send; undefined where its attempts have handed nothing in. */
  unsettled: Unsettled[] | undefined;
}

export interface RedriveDeps {
  /** A page of the running batches of a visibility query. */
  list: (
    query: string,
    size: number,
    token: string | undefined,
  ) => Promise<{ ids: string[]; token?: string }>;
  /** Answers whether the batch was there to take the signal. */
  redrive: (batch: string, choice: Choice) => Promise<boolean>;
  /** A batch's deliveries to a destination that wait; undefined where the batch has ended. */
  backedOff: (batch: string, destination: string) => Promise<BackedOff[] | undefined>;
  /** Has Temporal hand a delivery out now. */
  callBack: (delivery: WaitingDelivery) => Promise<void>;
  /** How far behind the cluster is, in ms: fresh batches go first. */
  lagMs: () => number;
  /** The running activity's context. */
  context: () => Context;
}

/** A page is about as much as is acted on in this time, so that a pause is soon kept. */
const pageMs = 2_000;
const largestPage = 100;
/** Between batches that were only looked at. */
const lookGapMs = 10;
/** While the cluster is behind, batches are as far apart as this many times its lag, at most. */
const lagTimes = 4;
const longestGapMs = 1_000;
/** A batch that takes the signal in none of so many attempts of the activity has failed. */
const mostTries = 5;

/** What a heartbeat keeps: a page, and how far it is done. */
interface Checkpoint extends RedrivePageAnswer {
  /** Those still to come to, the next one first. */
  rest: string[];
  /** Failed tries of the next one. */
  tries: number;
}

/** Whether a choice takes in a delivery that waits; of one that nothing is known of only all does. */
export const isToHurry = (
  choice: Choice,
  destination: string,
  { unsettled }: Pick<BackedOff, 'unsettled'>,
): boolean =>
  unsettled === undefined
    ? choice.reasons === undefined && choice.names?.includes(destination) !== false
    : unsettled.some((part) => isChosen(choice, destination, part));

/** The activities by which a redrive goes through the batches. */
export const createRedrivePage = (deps: RedriveDeps): OperationActivities => {
  /** Where a page begins: what an attempt that was cut off had left, else what visibility has next. */
  const openPage = async (input: RedrivePageInput, { info }: Context): Promise<Checkpoint> => {
    const kept = info.heartbeatDetails as Checkpoint | undefined;
    if (kept !== undefined) return { ...kept, failures: [...kept.failures] };
    const { query, perSecond, token, rest } = input;
    const size = Math.min(Math.max(1, Math.floor((perSecond * pageMs) / 1_000)), largestPage);
    const page =
      rest === undefined
        ? await deps.list(query, size, token)
        : { ids: rest, ...(token !== undefined && { token }) };
    return {
      ...{ done: 0, hurried: 0, ended: 0, failed: 0, failures: [], acted: 0, tries: 0 },
      rest: page.ids,
      ...(page.token !== undefined && { token: page.token }),
    };
  };

  /** What is done with a batch; answers how much there was to do, undefined where it has ended. */
  const act = {
    redrive: async (batch: string, { choice }: RedrivePageInput) =>
      (await deps.redrive(batch, choice)) ? 1 : undefined,
    hurry: async (batch: string, { destination, choice }: RedrivePageInput) => {
      const waiting = await deps.backedOff(batch, destination);
      const chosen = waiting?.filter((delivery) => isToHurry(choice, destination, delivery));
      for (const delivery of chosen ?? []) await deps.callBack(delivery);
      return chosen?.length;
    },
  };

  return {
    redrivePage: async (input) => {
      const context = deps.context();
      const { cancellationSignal } = context;
      const page = await openPage(input, context);
      const began = performance.now();
      const isOver = (): boolean =>
        cancellationSignal.aborted || performance.now() - began > 2 * pageMs;
      const keep = (): void => context.heartbeat(page);
      const goOn = (): void => {
        page.rest = page.rest.slice(1);
        page.tries = 0;
        keep();
      };
      const actGapMs = (): number =>
        Math.max(1_000 / input.perSecond, Math.min(lagTimes * deps.lagMs(), longestGapMs));

      keep();
      while (page.rest.length > 0 && !isOver()) {
        const [batch] = page.rest as [string];
        const since = performance.now();
        let gapMs = lookGapMs;
        try {
          const acts = await act[input.kind](batch, input);
          page[acts === undefined ? 'ended' : 'done'] += 1;
          if (acts !== undefined && acts > 0) {
            page.acted += 1;
            if (input.kind === 'hurry') page.hurried += acts;
            gapMs = actGapMs() - (performance.now() - since);
          }
          goOn();
        } catch (error) {
          page.tries += 1;
          const reason = error instanceof Error ? error.message : String(error);
          if (page.tries < mostTries) {
            keep();
            throw ApplicationFailure.retryable(`${batch}: ${reason}`, 'Unanswered');
          }
          page.failed += 1;
          page.failures.push({ batch, reason: reason.slice(0, 200) });
          goOn();
        }
        if (page.rest.length === 0 || gapMs > pageMs) break; // long waits are the workflow's
        await sleep(Math.max(0, gapMs), undefined, { signal: cancellationSignal }).catch(
          () => undefined,
        );
      }
      const { rest, token, done, hurried, ended, failed, failures, acted } = page;
      return {
        ...{ done, hurried, ended, failed, failures, acted },
        ...(token !== undefined && { token }),
        ...(rest.length > 0 && { rest }),
      };
    },
  };
};
