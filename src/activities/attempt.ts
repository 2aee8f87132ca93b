import { setMaxListeners } from 'node:events';
import type { Context } from '@temporalio/activity';
import {
  emptyReceipt,
  heavyBytes,
  type DeliverInput,
  type Progress,
  type Receipt,
  type RetryPolicy,
  type Unsettled,
} from '../delivery.ts';
import { endingMs, type Destination } from '../destinations/destination.ts';
import type { BatchedEvent } from '../temporal/events-encoding.ts';
import type { Turn, Turns } from '../turns.ts';
import type { Connections, Entry } from './connections.ts';
import { throwIfCancelled, type Ending } from './ending.ts';
import type { Pace } from './pace.ts';
import type { Http } from './http.ts';
import { heldPart, openLedger, type Ledger } from './ledger.ts';
import { mapPart } from './map-part.ts';
import { sendPart, type Sending } from './send.ts';

/** Checkpoints are made on a timer too: between requests a partner may be silent for long. */
const heartbeatEveryMs = 500;
/** After a request a checkpoint is made unless one was made within this time. */
const checkpointApartMs = 100;

/** The workflow run that an activity belongs to. */
export interface BatchRun {
  workflowId: string;
  runId: string;
}

export interface AttemptDeps {
  destination: Destination;
  /** Reads the events of the activity's own batch. */
  readBatch: (run: BatchRun) => Promise<readonly BatchedEvent[]>;
  http: Http;
  /** By which large batches are worked on, so that others need not wait for them. */
  turns: Turns;
  /** Told how long a large one waited for its turn, in ms. */
  onLargeTurn: (waitedMs: number) => void;
  /** Told of each request: its status, or why it got no answer, and how long it took. */
  onRequest: (status: string, seconds: number) => void;
  connections: Connections;
  pace: Pace;
  ending: Pick<Ending, 'crowded'>;
  now: () => number;
  random: () => number;
}

/** What an attempt goes on from: a checkpoint, or a continuation's input, which has no receipt yet. */
type From = { receipt?: Receipt | undefined; unsettled: Unsettled[] } | undefined;

/**
 * Makes one attempt after the other: reads the batch, sends what is due and may be sent, and keeps
 * checkpoints meanwhile.
 */
export const createAttempt = ({
  destination,
  readBatch,
  http,
  turns,
  onLargeTurn,
  onRequest,
  connections,
  pace,
  ending,
  now,
  random,
}: AttemptDeps) => {
  /** What is held without a look at the events: all of it is for connections that nobody may try now. */
  const heldWhole = (from: From, retry: RetryPolicy): Progress | undefined => {
    if (from === undefined) return undefined;
    const isHeld = ({ connection, parked, notBefore = 0 }: Unsettled): boolean =>
      parked !== undefined || notBefore > now() || !connections.mayEnter(connection, false);
    if (!from.unsettled.every(isHeld)) return undefined;
    return {
      receipt: from.receipt ?? emptyReceipt(),
      unsettled: from.unsettled.map((part) => {
        const failure = connections.failure(part.connection);
        return part.parked !== undefined || failure === undefined
          ? part
          : heldPart(part, failure, now(), retry, true);
      }),
    };
  };

  /** @throws ApplicationFailure retryable, where it is cancelled or finds no turn before it began */
  return async (input: DeliverInput, context: Context, isFirstPass: boolean): Promise<Progress> => {
    const { info, cancellationSignal } = context;
    const checkpoint = info.heartbeatDetails as Progress | undefined;
    const from = checkpoint ?? (input.unsettled && { unsettled: input.unsettled });
    const held = heldWhole(from, input.retry);
    if (held !== undefined) return held;
    const began = performance.now();
    const limitMs = info.startToCloseTimeoutMs - destination.timeoutMs - endingMs;
    const deadline = began + limitMs;
    const over = AbortSignal.any([cancellationSignal, AbortSignal.timeout(limitMs)]);
    setMaxListeners(0, over);

    let ledger: Ledger | undefined;
    let checkpointed = began;
    const keep = (): void => {
      checkpointed = performance.now();
      context.heartbeat(ledger?.progress('checkpoint') ?? checkpoint);
    };
    const timer = setInterval(keep, heartbeatEveryMs);
    const largeTurn = (): Promise<Turn> => turns.large(destination.name, over);
    const { bytes = 0 } = input;
    const firstTurn = async (): Promise<Turn> => {
      if (bytes < heavyBytes) return turns.small();
      const asked = performance.now();
      const turn = await largeTurn();
      onLargeTurn(performance.now() - asked);
      return turn;
    };
    const turn = await firstTurn();
    const entries: Entry[] = [];
    try {
      if (over.aborted) {
        throwIfCancelled(cancellationSignal);
        throw ending.crowded('It found no turn in its time');
      }
      const batch = await readBatch(info.workflowExecution!);
      turn.resume();
      ledger = openLedger({ destination, batch, from, retry: input.retry, random });
      const sending: Sending = {
        destination,
        http,
        connections,
        pace,
        now,
        over,
        deadline,
        eventBytes: bytes / batch.length,
        largeTurn,
        onRequest,
        afterRequest: () => {
          if (performance.now() - checkpointed >= checkpointApartMs) keep();
        },
      };
      const jobs: (() => Promise<void>)[] = [];
      for (const part of ledger.parts.filter(({ notBefore }) => notBefore <= now())) {
        const entry = connections.enter(part.connection.name, isFirstPass);
        if (entry === undefined) {
          part.hold(connections.failure(part.connection.name)!, now());
        } else {
          entries.push(entry);
          const items = await mapPart(part, destination, batch, now, turn.breathe);
          jobs.push(() => sendPart(part, items, sending, entry.isTry).finally(entry.leave));
        }
      }
      turn.end();
      await Promise.all(jobs.map((send) => send()));
      return ledger.progress('end');
    } finally {
      turn.end();
      for (const { leave } of entries) leave();
      clearInterval(timer);
    }
  };
};
