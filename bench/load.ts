import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { createLatency, type Counts } from './latency.ts';
import { marker } from './marker.ts';

/** What clients saw of the events that they have posted. */
export interface Posted {
  accepted: number;
  /** Events of requests that were answered 429 or 503: nobody sends them again here. */
  refused: number;
  /** Requests that failed otherwise: there should be none. */
  failed: number;
  /** From when a request should have been sent to its answer. */
  latency: Counts;
}

/** One kind of traffic. */
export interface Traffic {
  /** Write keys, used in turn. */
  writeKeys: readonly string[];
  /** One letter, by which partners tell it from other traffic. */
  group: string;
  eventsPerRequest: number;
  /** Bytes of filling in each event, on top of about 500. */
  filling?: number;
}

/** An event as analytics.js sends it, of about 600 bytes, less its marker. */
const eventOf = (mark: string, id: string, filling: string): string =>
  `{"type":"track","event":"Article Viewed","messageId":"${id}","userId":"user-${id.slice(-4)}",` +
  `"anonymousId":"0c5f8a3e-1f6b-4f0e-9a41-5a1f8c7d2b60","properties":{${mark},"article":"G-32",` +
  `"title":"A backpack for long walks","price":18.99,"currency":"EUR","tags":"outdoor"${filling}},` +
  `"context":{"library":{"name":"analytics.js","version":"4.4.7"},"locale":"en-GB","page":{"path":` +
  `"/offers","url":"https://shop.example/offers?p=2","title":"Offers"},"ip":"203.0.113.9"}}`;

/** Numbers the events of each group from 0 on, for as long as a benchmark's stack lives. */
export interface Clients {
  /** So many connections, each with one request after the other, until `over` says so. */
  closed: (
    traffic: Traffic,
    connections: number,
    over: () => boolean,
    mayGoOn?: () => Promise<void>,
  ) => Promise<Posted>;
  /**
   * Requests at fixed times, however long the answers take.
   * @throws Error where any is refused: then it is no latency that is to be measured
   */
  open: (traffic: Traffic, eventsPerSecond: number, ms: number) => Promise<Posted>;
  close: () => Promise<void>;
}

export const createClients = (url: string): Clients => {
  const pool = new Pool(url, { connections: 512, pipelining: 1 });
  const numbers = new Map<string, number>();
  let requests = 0;

  const bodyOf = ({ group, eventsPerRequest, filling = 0 }: Traffic, scheduledAt: number) => {
    const first = numbers.get(group) ?? 0;
    numbers.set(group, first + eventsPerRequest);
    const more = filling > 0 ? `,"filling":"${'x'.repeat(filling)}"` : '';
    const events = Array.from({ length: eventsPerRequest }, (_, at) => {
      const id = `${group}-${first + at}`;
      return eventOf(marker(group, first + at, scheduledAt), id, more);
    });
    return `{"batch":[${events.join(',')}],"sentAt":"${new Date().toISOString()}"}`;
  };

  const createBook = () => {
    const latency = createLatency();
    const posted = { accepted: 0, refused: 0, failed: 0 };
    return {
      post: async (traffic: Traffic, scheduledAt: number): Promise<void> => {
        const writeKey = traffic.writeKeys[requests++ % traffic.writeKeys.length]!;
        const count = traffic.eventsPerRequest;
        try {
          const { statusCode, body } = await pool.request({
            path: '/v1/batch',
            method: 'POST',
            headers: {
              authorization: `Basic ${btoa(`${writeKey}:`)}`,
              'content-type': 'application/json',
            },
            body: bodyOf(traffic, scheduledAt),
          });
          await body.dump();
          if (statusCode === 200) posted.accepted += count;
          else if (statusCode === 429 || statusCode === 503) posted.refused += count;
          else posted.failed += 1;
        } catch {
          posted.failed += 1;
        }
        latency.add(performance.timeOrigin + performance.now() - scheduledAt);
      },
      posted: (): Posted => ({ ...posted, latency: latency.counts() }),
    };
  };

  return {
    closed: async (traffic, connections, over, mayGoOn) => {
      const book = createBook();
      const connection = async (): Promise<void> => {
        while (!over()) {
          await book.post(traffic, Date.now());
          await mayGoOn?.();
        }
      };
      await Promise.all(Array.from({ length: connections }, connection));
      return book.posted();
    },
    open: async (traffic, eventsPerSecond, ms) => {
      const book = createBook();
      const began = Date.now();
      const gapMs = (1_000 * traffic.eventsPerRequest) / eventsPerSecond;
      const total = Math.floor(ms / gapMs);
      const underWay = new Set<Promise<void>>();
      for (let sent = 0; sent < total; sent++) {
        const scheduledAt = began + sent * gapMs;
        const wait = scheduledAt - Date.now();
        if (wait > 1) await sleep(wait);
        const request = book.post(traffic, scheduledAt).finally(() => underWay.delete(request));
        underWay.add(request);
      }
      await Promise.all(underWay);
      const posted = book.posted();
      const lost = posted.refused + posted.failed;
      if (lost > 0) throw new Error(`${lost} of the events or requests offered were refused`);
      return posted;
    },
    close: () => pool.close(),
  };
};
