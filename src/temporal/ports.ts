import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

/** Where the embedded server listens, on 127.0.0.1. */
export interface Ports {
  port: number;
  /** Absent: no Web UI. */
  uiPort?: number;
}

const host = '127.0.0.1';

/** Binds the port for an instant; 0 is any. Answers the port, or undefined where it is taken. */
const tryPort = async (port: number): Promise<number | undefined> => {
  const server = createServer();
  try {
    server.listen({ port, host, exclusive: true });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
};

/** Whether something answers on the port: where one may bind beside a wildcard, binding tells nothing. */
const isAnswered = async (port: number): Promise<boolean> => {
  const socket = connect({ port, host });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(1_000) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
};

/**
 * The first of the ports that is free on 127.0.0.1, else any free one. It may be taken before it is
 * used; who uses it has to see to that.
 * @param wanted ports by preference; undefined ones are passed over
 * @param except a port that is spoken for
 */
export const choosePort = async (
  wanted: readonly (number | undefined)[],
  except?: number,
): Promise<number> => {
  for (const port of wanted) {
    if (port === undefined || port === 0 || port === except) continue;
    if (!(await isAnswered(port)) && (await tryPort(port)) !== undefined) return port;
  }
  for (;;) {
    const port = await tryPort(0);
    if (port === undefined) throw new Error('no port of 127.0.0.1 is free');
    if (port !== except) return port;
  }
};
