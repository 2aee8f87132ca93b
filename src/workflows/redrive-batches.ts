import {
  ActivityCancellationType,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  operationsQueue,
  progressQuery,
  redriveSignals,
  type OperationActivities,
  type RedriveCounts,
  type RedriveOrder,
  type RedriveProgress,
} from '../delivery.ts';

const pause = defineSignal(redriveSignals.pause);
const resume = defineSignal(redriveSignals.resume);
const rate = defineSignal<[perSecond?: unknown]>(redriveSignals.rate);
const progress = defineQuery<RedriveProgress>(progressQuery);

const failuresKept = 10;

/** Where a redrive stands: what one run hands to the next. */
interface Position extends RedriveCounts {
  /** The pass it is at. */
  pass: number;
  token?: string;
  rest?: string[];
  isPaused: boolean;
}

const front: Position = {
  pass: 0,
  done: 0,
  hurried: 0,
  ended: 0,
  failed: 0,
  failures: [],
  isPaused: false,
};

const { redrivePage } = proxyActivities<OperationActivities>({
  taskQueue: operationsQueue,
  startToCloseTimeout: '1 hour', // a page takes seconds, unless Temporal is far behind
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
  // A cancelled page hands in what it has done.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/**
 * Redrives every batch that its passes find, one page after the other, at a pace. What it has done
 * is in its query's answer, and in its result.
 */
export async function redriveBatches(
  order: RedriveOrder,
  from: Position = front,
): Promise<RedriveProgress> {
  const at = { ...from, failures: [...from.failures] };
  let { perSecond } = order;

  const tell = (): RedriveProgress => {
    const { pass, done, hurried, ended, failed, failures, isPaused } = at;
    const isFinished = pass >= order.passes.length;
    return {
      state: isFinished ? 'finished' : isPaused ? 'paused' : 'running',
      perSecond,
      counted: order.counted,
      left: isFinished ? 0 : Math.max(0, order.counted - done - ended - failed),
      ...{ done, hurried, ended, failed, failures },
    };
  };
  setHandler(progress, tell);
  setHandler(pause, () => {
    at.isPaused = true;
  });
  setHandler(resume, () => {
    at.isPaused = false;
  });
  // Anybody can send a signal, with anything in it: what is no rate changes none.
  setHandler(rate, (given) => {
    if (typeof given === 'number' && Number.isFinite(given) && given > 0) perSecond = given;
  });

  for (;;) {
    const pass = order.passes[at.pass];
    if (pass === undefined) return tell();
    await condition(() => !at.isPaused);
    const { destination, choice } = order;
    const { token, rest } = at;
    const began = Date.now();
    const page = await redrivePage({
      ...pass,
      ...{ destination, choice, perSecond },
      ...(token !== undefined && { token }),
      ...(rest !== undefined && { rest }),
    });
    for (const count of ['done', 'hurried', 'ended', 'failed'] as const) at[count] += page[count];
    at.failures.push(...page.failures.slice(0, failuresKept - at.failures.length));
    delete at.token;
    delete at.rest;
    if (page.token !== undefined) at.token = page.token;
    if (page.rest !== undefined) at.rest = page.rest;
    if (page.token === undefined && page.rest === undefined) at.pass += 1;

    const ratePaid = perSecond;
    const owedMs = (page.acted * 1_000) / ratePaid - (Date.now() - began);
    if (owedMs > 0) await condition(() => perSecond !== ratePaid, owedMs);
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof redriveBatches>({ ...order, perSecond }, at);
    }
  }
}
