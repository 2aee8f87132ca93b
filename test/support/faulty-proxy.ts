import { createServer, request as send, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What happens to a request: `none`; the product's answer never arrives; the connection is reset
 * before the product sees anything, or once it has half of the body; the product gets it twice, at
 * the same time; or something on the way answers in the product's stead.
 */
export type Fault =
  | 'none'
  | 'lost answer'
  | 'reset'
  | 'cut short'
  | 'duplicated'
  | { status: number; headers?: Record<string, string> };

/** A request as the client sent it. */
interface Passed {
  headers: IncomingHttpHeaders;
  /** ms since the epoch. */
  at: number;
  fault: Fault;
}

/** A network between a client and the product that fails by a script. */
export interface FaultyProxy {
  url: string;
  passed: Passed[];
  /** The faults of the next requests, in turn; those after them have none. */
  script: (faults: readonly Fault[]) => void;
  close: () => Promise<void>;
}

interface Answered {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export const startFaultyProxy = async (target: string): Promise<FaultyProxy> => {
  const passed: Passed[] = [];
  const failures: Error[] = [];
  let faults: Fault[] = [];

  const forward = (
    { method, url, headers }: { method: string; url: string; headers: IncomingHttpHeaders },
    body: Buffer,
    bytes = body.length,
  ): Promise<Answered | undefined> =>
    new Promise((resolve, reject) => {
      const options = {
        method,
        headers: { ...headers, 'content-length': body.length, connection: 'close' },
        agent: false,
      };
      const onward = send(new URL(url, target), options, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode!,
            headers: answer.headers,
            body: Buffer.concat(chunks),
          }),
        );
      });
      onward.on('error', reject);
      if (bytes === body.length) onward.end(body);
      else {
        onward.removeListener('error', reject).on('error', () => resolve(undefined));
        onward.write(body.subarray(0, bytes), () => onward.destroy());
        onward.once('close', () => resolve(undefined));
      }
    });

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const { headers } = request;
      const what = { method: request.method!, url: request.url!, headers };
      const fault = faults.shift() ?? 'none';
      passed.push({ headers, at: Date.now(), fault });
      const handle = async (): Promise<void> => {
        if (typeof fault === 'object') {
          response.writeHead(fault.status, fault.headers).end();
        } else if (fault === 'reset') {
          request.socket.resetAndDestroy();
        } else if (fault === 'cut short') {
          await forward(what, body, Math.floor(body.length / 2));
          request.socket.resetAndDestroy();
        } else {
          const copies = fault === 'duplicated' ? 2 : 1;
          const answers = await Promise.all(
            Array.from({ length: copies }, () => forward(what, body)),
          );
          const [answer] = answers as [Answered];
          if (fault === 'lost answer') request.socket.destroy();
          else response.writeHead(answer.status, answer.headers).end(answer.body);
        }
      };
      handle().catch((error: unknown) => {
        failures.push(error as Error);
        request.socket.destroy();
      });
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    script: (next) => {
      faults = [...next];
    },
    close: async () => {
      await new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      });
      // A fault that nobody wrote into the script is the product's.
      if (failures.length > 0) throw new AggregateError(failures, 'The product ended connections');
    },
  };
};
