import type { AcceptedEvent } from '../temporal/events-encoding.ts';

/** Takes requests' events, and starts batches of them. */
export interface Coalescer {
  /**
   * Answers with the batch's id (`batch-…`) once a workflow that holds all these events is durable.
   * @throws Overloaded where they cannot be taken, or not be made durable in time
   */
  submit(source: string, events: readonly AcceptedEvent[]): Promise<string>;
}

/** Events were not taken, and nothing was kept of them: the client should come again. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
  /** 429 where one source holds more than its share, else 503. */
  readonly status: 429 | 503;
  readonly retryAfterSeconds: number;

  constructor(status: 429 | 503, message: string, retryAfterSeconds: number) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
