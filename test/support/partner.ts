import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the partner received it. */
export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  at: number;
}

/** Which event a webhook's request is for. */
export const idOf = ({ headers }: Received): string => headers['webhook-id'] as string;

/** How often each event was received. */
export const timesReceived = (received: readonly Received[]): Record<string, number> => {
  const times: Record<string, number> = {};
  for (const request of received) times[idOf(request)] = (times[idOf(request)] ?? 0) + 1;
  return times;
};

/** What the partner answers with; `hang`: nothing, for ever; `drop`: it ends the connection. */
type Answer =
  | { status: number; headers?: Record<string, string>; body?: string; afterMs?: number }
  | 'hang'
  | 'drop';

/** A partner on a real socket that answers by a script. */
export interface Partner {
  url: string;
  received: Received[];
  /** Answers from now on; given each request, with how many came before it. */
  script: (answer: (request: Received, nth: number) => Answer) => void;
  /** Resolves once what was received satisfies a condition. */
  until: (condition: (received: Received[]) => boolean) => Promise<void>;
  close: () => Promise<void>;
}

/** What a 200 says where the script says nothing: Mixpanel's yes, which the others do not mind. */
const yes = '{"code":200,"status":"OK"}';

/** Starts a partner that answers 200 until it is told otherwise. */
export const startPartner = async (): Promise<Partner> => {
  const received: Received[] = [];
  const watchers = new Set<() => void>();
  let answer: (request: Received, nth: number) => Answer = () => ({ status: 200 });
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const entry: Received = {
        method: request.method!,
        path: request.url!,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
        at: Date.now(),
      };
      const said = answer(entry, received.length);
      received.push(entry);
      for (const watcher of watchers) watcher();
      if (said === 'drop') request.socket.destroy();
      else if (said !== 'hang') {
        setTimeout(() => {
          const body = said.body ?? (said.status === 200 ? yes : '');
          response.writeHead(said.status, said.headers).end(body);
        }, said.afterMs ?? 0);
      }
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    script: (next) => {
      answer = next;
    },
    until: (condition) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!condition(received)) return;
          watchers.delete(check);
          resolve();
        };
        watchers.add(check);
        check();
      }),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
};
