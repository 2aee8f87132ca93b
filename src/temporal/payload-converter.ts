import {
  BinaryPayloadConverter,
  CompositePayloadConverter,
  JsonPayloadConverter,
  UndefinedPayloadConverter,
  type Payload,
  type PayloadConverterWithEncoding,
} from '@temporalio/common';

/** Marks the payload that holds a batch's events. For ever: histories in the field carry it. */
export const eventsEncoding = 'binary/distributary-events';

/**
 * A batch's events in their encoded form (temporal/events-encoding.ts): opaque to whoever cannot
 * decode it, above all to the workflow sandbox.
 */
export class EncodedEvents {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** The first byte of events that are encrypted (temporal/events-encoding.ts). */
export const sealedEvents = 2;

const utf8 = new TextEncoder();
let sealedSeen = false;

/** In the workflow sandbox: whether the workflow's own events are encrypted. */
export const hasSealedEvents = (): boolean => sealedSeen;

class EventsPayloadConverter implements PayloadConverterWithEncoding {
  readonly encodingType = eventsEncoding;

  toPayload(value: unknown): Payload | undefined {
    return value instanceof EncodedEvents
      ? { metadata: { encoding: utf8.encode(eventsEncoding) }, data: value.bytes }
      : undefined;
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the SDK's signature
  fromPayload<T>(payload: Payload): T {
    const events = new EncodedEvents(payload.data ?? new Uint8Array());
    sealedSeen ||= events.bytes[0] === sealedEvents;
    return events as T;
  }
}

/**
 * The converter of every client and worker, in and out of the workflow sandbox. Loaded by path
 * (`payloadConverterPath`) and by `require`, so this file imports nothing of Node's.
 */
export const payloadConverter = new CompositePayloadConverter(
  new EventsPayloadConverter(),
  new UndefinedPayloadConverter(),
  new BinaryPayloadConverter(),
  new JsonPayloadConverter(),
);
