import { createClients } from './load.ts';
import type { Posted, Traffic } from './load.ts';

// A process of its own, so that a flood takes no time from the clients whose latency is measured.

export type ToFlood = { do: 'flood'; traffic: Traffic; connections: number } | { do: 'stop' };

const clients = createClients(process.argv[2]!);
let isOver = false;

process.on('message', (message: ToFlood) => {
  if (message.do === 'stop') {
    isOver = true;
    return;
  }
  isOver = false;
  const { traffic, connections } = message;
  void clients
    .closed(traffic, connections, () => isOver)
    .then((posted: Posted) => process.send!(posted))
    .catch(() => process.exit(1));
});
process.on('disconnect', () => process.exit(0));
