import { resolve } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import {
  createFolder,
  runProduct,
  startProduct,
  temporalPid,
  type Folder,
  type Product,
} from '../support/product.ts';
import { eventually } from '../support/eventually.ts';
import { startPartner, type Partner } from '../support/partner.ts';
import { createDataConverter } from '../../src/temporal/data-converter.ts';
import { runningServer } from '../../src/temporal/server-place.ts';

/** The product with a partner of webhooks, and an operator's commands beside it. */
export interface Operated {
  partner: Partner;
  client: () => Client;
  /** Has the partner answer a path by a status from now on; 200 where it was not told. */
  answer: (path: string, status: number) => void;
  /** How many requests a path has had that were answered 200. */
  taken: (path: string) => number;
  /** How many different events these were. */
  different: (path: string) => number;
  /** Posts events, each in a batch of its own and to one destination only. */
  post: (destination: string, events: number, source?: string) => Promise<void>;
  /** Waits until so many batches are stuck at a destination or connection. */
  untilStuck: (name: string, batches: number) => Promise<void>;
  /** Runs `redrive` with these arguments until it ends. */
  redrive: (...args: string[]) => Promise<{ code: number | null; out: string; err: string }>;
  /** Begins it, and does not wait. */
  beginRedrive: (...args: string[]) => Product;
  /** Kills the product hard, and starts it again. */
  killAndStart: (temporalToo: boolean) => Promise<void>;
  close: () => Promise<void>;
}

/** @param destinations further entries of each destination's configuration, by name */
export const openOperated = async (
  destinations: Record<string, Record<string, unknown>>,
): Promise<Operated> => {
  const partner = await startPartner();
  const folder: Folder = createFolder();
  const file = folder.config({
    sources: ['website', 'shop'].map((name) => ({ name, writeKey: `key-of-${name}` })),
    destinations: Object.entries(destinations).map(([name, more]) => ({
      name,
      type: 'webhook',
      settings: { url: `${partner.url}/${name}` },
      ...more,
      ...(more['connections'] === true && {
        connections: { shop: { settings: { url: `${partner.url}/${name}-of-shop` } } },
      }),
    })),
    network: { allowPrivate: true },
  });
  const statuses = new Map<string, number>();
  const taken: { path: string; id: unknown }[] = [];
  partner.script(({ path, headers }) => {
    const status = statuses.get(path) ?? 200;
    if (status === 200) taken.push({ path, id: headers['webhook-id'] });
    return { status };
  });
  const takenBy = (path: string) => taken.filter((each) => each.path === path);
  let product = await startProduct(folder, file);
  const dataDir = resolve(folder.path, 'data');
  const connect = async () => {
    const address = `127.0.0.1:${runningServer(dataDir).port}`;
    const connection = await Connection.connect({ address });
    return {
      connection,
      client: new Client({ connection, dataConverter: createDataConverter([]) }),
    };
  };
  let temporal = await connect();
  const commands: Product[] = [];
  const beginRedrive = (...args: string[]): Product => {
    const command = runProduct(['redrive', '--config', file, '--data-dir', dataDir, ...args], {
      cwd: folder.path,
      env: { TEMPORAL_ADDRESS: undefined },
    });
    commands.push(command);
    return command;
  };
  let posted = 0;
  return {
    partner,
    client: () => temporal.client,
    answer: (path, status) => void statuses.set(path, status),
    taken: (path) => takenBy(path).length,
    different: (path) => new Set(takenBy(path).map(({ id }) => id)).size,
    post: async (destination, events, source = 'website') => {
      for (let n = 0; n < events; n++) {
        const response = await fetch(`${product.url}/v1/track`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            writeKey: `key-of-${source}`,
            userId: 'ada',
            event: 'Seen',
            messageId: `m-${posted++}`,
            integrations: { All: false, [destination]: true },
          }),
        });
        if (response.status !== 200) throw new Error(`answered ${response.status}`);
      }
    },
    untilStuck: (name, batches) =>
      eventually(async () => {
        const { count } = await temporal.client.workflow.count(`StuckDestinations = '${name}'`);
        if (count !== batches) throw new Error(`${count} batches are stuck at ${name}`);
      }, 30_000),
    redrive: async (...args) => {
      const command = beginRedrive(...args);
      const code = await command.exited;
      return { code, out: command.stdout(), err: command.stderr() };
    },
    beginRedrive,
    killAndStart: async (temporalToo) => {
      const server = temporalPid(folder);
      product.kill('SIGKILL');
      if (temporalToo) process.kill(server, 'SIGKILL');
      await product.exited;
      await temporal.connection.close();
      product = await startProduct(folder, file);
      temporal = await connect();
    },
    close: async () => {
      for (const command of commands) command.kill('SIGKILL');
      await temporal.connection.close();
      product.kill('SIGTERM');
      await product.exited;
      await partner.close();
      folder.remove();
    },
  };
};
