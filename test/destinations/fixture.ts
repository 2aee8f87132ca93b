import type {
  Attempt,
  PartnerRequest,
  PartnerResponse,
  Verdict,
} from '../../src/destinations/define.ts';
import type { Event } from '../../src/event.ts';

/** Where an example comes from: seen on the wire, or written after the partner's documents. */
export interface Provenance {
  from: 'recorded' | 'documented';
  /** The page or specification, as title and address. */
  reference: string;
  /** The day it was recorded or read, ISO-8601. */
  date: string;
}

/** Events that share a request, and that request. */
export interface RequestExample {
  title: string;
  provenance: Provenance;
  events: Event[];
  settings?: Record<string, unknown>;
  /** A body that is not a string is compared as JSON. Null: there is nothing to send. */
  request: (Omit<PartnerRequest, 'body'> & { body: unknown }) | null;
}

/** An answer to the request that carries these events, and what it says of each. */
interface ResponseExample {
  title: string;
  provenance: Provenance;
  events: Event[];
  response: PartnerResponse;
  verdicts: Verdict[];
}

/** What the conformance suite knows of a destination type; each has a file `<type>.fixture.ts`. */
export interface DestinationFixture {
  settings: Record<string, unknown>;
  /** The settings that are secret. */
  secrets: string[];
  attempt: Attempt;
  /** The most of a request that the partner documents: elements, and bytes of its body. */
  limits: { provenance: Provenance; items?: number; bytes?: number };
  /** At least one for each event type that the destination type supports. */
  requests: RequestExample[];
  /** Events that the partner would refuse or swallow, and the words they are rejected with before. */
  unmappable: { event: Event; reason: string }[];
  responses: ResponseExample[];
  /** Settings that must not pass, and where the mistake is. */
  mistakes: { settings: Record<string, unknown>; path: string }[];
  /**
   * What the partner knows a repeated event by, for each event of a request, in order. Where it
   * knows none again, the type's notes have to say what comes of it.
   */
  dedupeKeys: ((request: PartnerRequest) => string[]) | 'none';
}
