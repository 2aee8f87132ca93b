import type { Usage } from './stack.ts';

/** One figure of a scenario, with the bound that it must keep, if any. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** Bounds are asked for only on a machine of one's own: `--quick` and `--no-bounds` report, and ask for none. */
  atLeast?: number;
  atMost?: number;
}

/** How long a scenario's parts take. */
export interface Pace {
  /** So many seconds, fewer in a quick run. */
  seconds: (full: number) => number;
  quick: boolean;
}

export interface Scenario {
  name: string;
  title: string;
  /** Runs it. Throws where the books do not balance: the run is void then. */
  run: (pace: Pace) => Promise<Figure[]>;
}

/** What an amount of work has cost, between two readings. */
export const costs = (before: Usage, after: Usage, events: number): Figure[] => {
  const batches = after.batches - before.batches;
  const ours = after.productCpuMs - before.productCpuMs;
  const theirs = after.temporalCpuMs - before.temporalCpuMs;
  return [
    { name: 'CPU per 1,000 events, product', value: (ours / events) * 1_000, unit: 'ms' },
    { name: 'CPU per 1,000 events, Temporal', value: (theirs / events) * 1_000, unit: 'ms' },
    { name: 'CPU per batch, both', value: (ours + theirs) / batches, unit: 'ms' },
    { name: 'events per batch', value: events / batches, unit: '' },
  ];
};

/** How a figure keeps its bound; undefined where it has none. */
export const keepsBound = ({ value, atLeast, atMost }: Figure): boolean | undefined =>
  atLeast === undefined && atMost === undefined
    ? undefined
    : value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);
