import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLatency, type Counts, type Latency } from './latency.ts';
import { readMarkers } from './marker.ts';

// A process of its own, which plays every partner of a benchmark: told by messages, answers by
// messages. Partners are told apart by a webhook's path or by Mixpanel's token.

/** How a partner answers from now on. */
export type Behaviour =
  | { kind: 'takes' }
  | { kind: 'hangs' }
  | { kind: 'fails' }
  | { kind: 'throttles'; retryAfterSeconds: number };

/** What has arrived at one partner, of one group of events. */
export interface Arrivals {
  partner: string;
  group: string;
  /** Events that the partner has said yes to: how often, and how many different ones. */
  events: number;
  different: number;
  requests: number;
  /** From when an event should have been sent to its first arrival, since the last reset. */
  latency: Counts;
}

export type ToPartner =
  { do: 'behave'; partner: string; behaviour: Behaviour } | { do: 'tell'; resetLatency: boolean };
export type FromPartner = { listening: number } | { arrivals: Arrivals[] };

interface Seen {
  events: number;
  different: number;
  requests: number;
  numbers: Uint8Array;
  latency: Latency;
}

const yes = '{"code":200,"status":"OK"}';
const behaviours = new Map<string, Behaviour>();
const seen = new Map<string, Seen>();

const seenBy = (partner: string, group: string): Seen => {
  const key = `${partner} ${group}`;
  let known = seen.get(key);
  if (known === undefined) {
    known = {
      events: 0,
      different: 0,
      requests: 0,
      numbers: new Uint8Array(1 << 16),
      latency: createLatency(),
    };
    seen.set(key, known);
  }
  return known;
};

const take = (partner: string, body: Buffer): void => {
  const now = Date.now();
  let last: Seen | undefined;
  readMarkers(body, (group, number, scheduledAt) => {
    const known = seenBy(partner, group);
    last = known;
    known.events += 1;
    if (number >= known.numbers.length * 8) {
      const larger = new Uint8Array(Math.max(known.numbers.length * 2, (number >> 3) + 1));
      larger.set(known.numbers);
      known.numbers = larger;
    }
    const bit = 1 << (number & 7);
    if ((known.numbers[number >> 3]! & bit) !== 0) return;
    known.numbers[number >> 3]! |= bit;
    known.different += 1;
    known.latency.add(now - scheduledAt);
  });
  if (last !== undefined) last.requests += 1;
};

const partnerOf = ({ url = '', headers }: IncomingMessage): string => {
  const token = /^Basic (.+)/.exec(headers.authorization ?? '')?.[1];
  return token === undefined
    ? url.slice(1)
    : Buffer.from(token, 'base64').toString().replace(/:$/, '');
};

const answer = (partner: string, body: Buffer, response: ServerResponse): void => {
  const behaviour = behaviours.get(partner) ?? { kind: 'takes' };
  if (behaviour.kind === 'hangs') return;
  if (behaviour.kind === 'fails') {
    response.writeHead(503).end('down');
  } else if (behaviour.kind === 'throttles') {
    response.writeHead(429, { 'retry-after': String(behaviour.retryAfterSeconds) }).end('slower');
  } else {
    take(partner, body);
    response.end(yes);
  }
};

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => answer(partnerOf(request), Buffer.concat(chunks), response));
});

const tell = (message: FromPartner): void => void process.send!(message);

process.on('message', (message: ToPartner) => {
  if (message.do === 'behave') {
    behaviours.set(message.partner, message.behaviour);
    return;
  }
  tell({
    arrivals: [...seen].map(([key, { events, different, requests, latency }]) => {
      const [partner, group] = key.split(' ') as [string, string];
      return { partner, group, events, different, requests, latency: latency.counts() };
    }),
  });
  if (message.resetLatency) for (const known of seen.values()) known.latency = createLatency();
});
process.on('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => tell({ listening: (server.address() as AddressInfo).port }));
