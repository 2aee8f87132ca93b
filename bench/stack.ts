import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { ToFlood } from './flood.ts';
import { createClients, type Clients, type Posted, type Traffic } from './load.ts';
import type { Arrivals, Behaviour, FromPartner, ToPartner } from './partner.ts';

const cli = resolve(import.meta.dirname, '../cli.js');
const floodProgram = resolve(import.meta.dirname, 'flood.js');
const partnerProgram = resolve(import.meta.dirname, 'partner.js');

/** What is to be run: the destinations are all played by one partner process. */
export interface Setup {
  /** Names of destinations of type `mixpanel`, which takes 2,000 events in a request. */
  mixpanel?: readonly string[];
  /** Names of destinations of type `webhook`, one request per event. */
  webhook?: readonly string[];
  /** How many sources; they are `source-0` and so on, and their write keys `key-0` and so on. */
  sources?: number;
  /** Whether each source has a connection of its own at each destination. */
  ownConnections?: boolean;
  /** What else is said of each destination. */
  more?: Record<string, unknown>;
  /** How many processes of workers share the work with the first, which runs everything. */
  workers?: number;
}

/** What processes have used: CPU in ms since they began, memory in MiB now. */
export interface Usage {
  /** Of all processes of the product together, and of each: the first one first. */
  productCpuMs: number;
  cpuMsOfEach: number[];
  temporalCpuMs: number;
  productMiB: number;
  temporalMiB: number;
  /** Bytes of Temporal's database. */
  stored: number;
  batches: number;
}

/** The product and its Temporal, the partners, and clients: as its users have them, on loopback. */
export interface Stack {
  clients: Clients;
  writeKeys: readonly string[];
  /** Posts as fast as it is answered, from a process of its own, until it is stopped. */
  flood: (traffic: Traffic, connections: number) => () => Promise<Posted>;
  behave: (partner: string, behaviour: Behaviour) => void;
  /** What has arrived so far, of each partner and group; latencies since they were last reset. */
  arrivals: (resetLatency?: boolean) => Promise<Arrivals[]>;
  usage: () => Promise<Usage>;
  /**
   * Waits until every accepted event is settled at every destination, by the product's own figures
   * and by the partners'.
   * @throws Error where the books do not balance in time
   */
  balance: (accepted: number, withinMs: number) => Promise<void>;
  /** Runs one of the product's commands for operators, until it ends. */
  run: (args: readonly string[]) => Promise<{ code: number | null; out: string }>;
  stop: () => Promise<void>;
}

/** The partner of a source's own connection. */
export const partnerOf = (destination: string, source: number): string =>
  `${destination}.source-${source}`;

const configOf = (
  { mixpanel = [], webhook = [], sources = 1, ownConnections = false, more = {} }: Setup,
  partner: string,
) => {
  const numbers = Array.from({ length: sources }, (_, n) => n);
  const entry = (name: string, settingsOf: (partner: string) => object) => ({
    name,
    settings: settingsOf(name),
    ...(ownConnections && {
      connections: Object.fromEntries(
        numbers.map((n) => [`source-${n}`, { settings: settingsOf(partnerOf(name, n)) }]),
      ),
    }),
    ...more,
  });
  return {
    sources: numbers.map((n) => ({ name: `source-${n}`, writeKey: `key-${n}` })),
    destinations: [
      ...mixpanel.map((name) => ({
        type: 'mixpanel',
        endpoint: partner,
        ...entry(name, (token) => ({ projectToken: token })),
      })),
      ...webhook.map((name) => ({
        type: 'webhook',
        ...entry(name, (path) => ({ url: `${partner}/${path}` })),
      })),
    ],
    network: { allowPrivate: true },
  };
};

/** CPU time in ms and resident memory in MiB of a process, as Linux tells them. */
const readProcess = (pid: number): { cpuMs: number; MiB: number } => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]); // utime, stime; a tick is 10 ms
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return { cpuMs: ticks * 10, MiB: (pages * 4_096) / 1_048_576 };
};

const sizeOf = (file: string): number => {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
};

const startPartner = async () => {
  const child = fork(partnerProgram, { stdio: 'inherit' });
  const [{ listening }] = (await once(child, 'message')) as [{ listening: number }];
  let last: Promise<unknown> = Promise.resolve();
  const say = (message: ToPartner): void => void child.send(message);
  return {
    url: `http://127.0.0.1:${listening}`,
    behave: (partner: string, behaviour: Behaviour) => say({ do: 'behave', partner, behaviour }),
    arrivals: (resetLatency = false): Promise<Arrivals[]> => {
      const ask = async (): Promise<Arrivals[]> => {
        const answer = once(child, 'message') as Promise<[FromPartner]>;
        say({ do: 'tell', resetLatency });
        const [message] = await answer;
        return 'arrivals' in message ? message.arrivals : [];
      };
      const mine = last.then(ask, ask); // one question at a time: answers have no names
      last = mine.catch(() => undefined);
      return mine;
    },
    stop: () => child.disconnect(),
  };
};

/**
 * Runs one of the product's commands as `npm start` does, until it says that it is ready.
 * @param ready what it says then
 * @param temporal absent: its own
 */
const startProduct = async (
  args: readonly string[],
  folder: string,
  ready: RegExp,
  temporal?: string,
) => {
  const env = { ...process.env, TEMPORAL_ADDRESS: temporal, NO_COLOR: '1' };
  const child: ChildProcess = spawn(process.execPath, ['--max-semi-space-size=64', cli, ...args], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000)));
  }
  const exited = once(child, 'exit');
  const [, told = ''] = await new Promise<RegExpExecArray>((found, fail) => {
    void exited.then(() => fail(new Error(`The product did not start:\n${said}`)));
    const look = (): void => {
      const match = ready.exec(said);
      if (match !== null) found(match);
    };
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', look);
    look();
  });
  return {
    told,
    pid: child.pid!,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
};

/** Clients in a process that is started when it is first needed. */
const createFlooder = (url: string) => {
  let child: ChildProcess | undefined;
  const say = (message: ToFlood): void => void child!.send(message);
  return {
    flood: (traffic: Traffic, connections: number) => {
      child ??= fork(floodProgram, [url], { stdio: 'inherit' });
      say({ do: 'flood', traffic, connections });
      return async (): Promise<Posted> => {
        const answer = once(child!, 'message') as Promise<[Posted]>;
        const ended = once(child!, 'exit').then(() => {
          throw new Error('the process that floods has ended');
        });
        say({ do: 'stop' });
        return (await Promise.race([answer, ended]))[0];
      };
    },
    stop: () => child?.disconnect(),
  };
};

/** Sums of the product's metrics whose name and labels match. */
const sumOf = (metrics: string, pattern: RegExp): number =>
  metrics
    .split('\n')
    .filter((line) => pattern.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);

export const startStack = async (setup: Setup): Promise<Stack> => {
  const folder = mkdtempSync(join(tmpdir(), 'distributary-bench-'));
  const partner = await startPartner();
  const config = join(folder, 'distributary.yaml');
  writeFileSync(config, JSON.stringify(configOf(setup, partner.url))); // JSON is YAML
  const data = join(folder, 'data');
  const product = await startProduct(
    ['start', '--config', config, '--port', '0', '--data-dir', data],
    folder,
    /Post events to\s+(http:\/\/[^/\s]+)/,
  );
  const url = product.told;
  const clients = createClients(url);
  const flooder = createFlooder(url);
  const temporal = JSON.parse(readFileSync(join(data, 'temporal.json'), 'utf8')) as {
    pid: number;
    port: number;
  };
  const workers: (typeof product)[] = [];
  const stop = async (): Promise<void> => {
    await clients.close();
    flooder.stop();
    await Promise.all(workers.map((worker) => worker.stop()));
    await product.stop();
    partner.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  while (workers.length < (setup.workers ?? 0)) {
    const address = `127.0.0.1:${temporal.port}`;
    const args = ['worker', '--config', config];
    try {
      workers.push(await startProduct(args, folder, /the workers run/, address));
    } catch (error) {
      await stop();
      throw error;
    }
  }
  const readMetrics = async (): Promise<string> => (await request(`${url}/metrics`)).body.text();
  const destinations = (setup.mixpanel?.length ?? 0) + (setup.webhook?.length ?? 0);

  /** What is not balanced, in words; undefined where all is. */
  const imbalance = async (accepted: number): Promise<string | undefined> => {
    const metrics = await readMetrics();
    const booked = sumOf(metrics, /^distributary_api_events_accepted_total /);
    if (booked !== accepted) return `${accepted} events were answered 200, ${booked} are booked`;
    const settled = sumOf(metrics, /^distributary_delivery_events_total{/);
    const delivered = sumOf(metrics, /^distributary_delivery_events_total{.*"delivered"/);
    const arrived = (await partner.arrivals()).reduce((sum, { different }) => sum + different, 0);
    const due = accepted * destinations;
    // The figures of workers apart are their own.
    const isSettled = workers.length > 0 || (settled === due && delivered === due);
    return isSettled && arrived === due
      ? undefined
      : `${accepted} events for ${destinations} destinations: ${settled} settled, ` +
          `${delivered} delivered, ${arrived} arrived at partners`;
  };

  return {
    clients,
    writeKeys: Array.from({ length: setup.sources ?? 1 }, (_, n) => `key-${n}`),
    flood: flooder.flood,
    behave: partner.behave,
    arrivals: partner.arrivals,
    usage: async () => {
      const metrics = await readMetrics();
      const ours = [product, ...workers].map(({ pid }) => readProcess(pid));
      const theirs = readProcess(temporal.pid);
      return {
        productCpuMs: ours.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
        cpuMsOfEach: ours.map(({ cpuMs }) => cpuMs),
        temporalCpuMs: theirs.cpuMs,
        productMiB: ours.reduce((sum, { MiB }) => sum + MiB, 0),
        temporalMiB: theirs.MiB,
        stored: sizeOf(join(data, 'temporal.db')) + sizeOf(join(data, 'temporal.db-wal')),
        batches: sumOf(metrics, /^distributary_batch_events_count/),
      };
    },
    balance: async (accepted, withinMs) => {
      const until = Date.now() + withinMs;
      for (;;) {
        const wrong = await imbalance(accepted);
        if (wrong === undefined) return;
        if (Date.now() > until) throw new Error(`the books do not balance: ${wrong}`);
        await sleep(100);
      }
    },
    run: async (args) => {
      const options = { env: { ...process.env, TEMPORAL_ADDRESS: undefined }, cwd: folder };
      const all = [cli, ...args, '--config', config, '--data-dir', data];
      const child = spawn(process.execPath, all, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
      let out = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
      }
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, out };
    },
    stop,
  };
};
