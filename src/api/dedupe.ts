import { hash, randomBytes } from 'node:crypto';
import { createRememberedIds, type RememberedIds } from './remembered-ids.ts';

interface Identified {
  event: { messageId: string };
}

/** What became of one request's events. */
interface Submitted {
  /** The batch that holds them, or holds those that they repeat; absent where that is long ago. */
  batch: string | undefined;
  /** How many were new. */
  accepted: number;
}

/**
 * Sees to it that an event is made durable once, however often a client posts it. Two sources never
 * share an id: every one is looked up with its source's name.
 */
export interface Dedupe {
  /**
   * Has `start` make durable those of a source's events that are no repeats. A repeat of an event
   * that is still on its way waits for that one's fate.
   * @throws what `start` threw, here or for an event that is repeated here: the ids that were on
   * their way with it are forgotten, so that the client's next try is no repeat
   */
  submit<T extends Identified>(
    source: string,
    events: readonly T[],
    start: (fresh: readonly T[]) => Promise<string>,
  ): Promise<Submitted>;
}

/**
 * Repeats are known within one process, and for as long as `remembered` says. Ids on their way are
 * kept besides, some 200 bytes each; the coalescer bounds how many there are.
 */
export const createDedupe = (remembered: RememberedIds = createRememberedIds()): Dedupe => {
  const onTheirWay = new Map<string, Promise<string>>();
  // Without it anybody could choose ids that share a slot, and make every look-up slow.
  const salt = randomBytes(16).toString('base64');

  return {
    submit: async (source, events, start) => {
      const fresh: { key: string; digest: Buffer; event: (typeof events)[number] }[] = [];
      const keys = new Set<string>();
      const awaited = new Set<Promise<string>>();
      for (const event of events) {
        const key = `${source}\0${event.event.messageId}`; // a source's name holds no \0
        if (keys.has(key)) continue;
        keys.add(key);
        const fate = onTheirWay.get(key);
        if (fate !== undefined) {
          awaited.add(fate);
          continue;
        }
        const digest = hash('sha1', salt + key, 'buffer');
        if (!remembered.has(digest)) fresh.push({ key, digest, event });
      }

      const fates = [...awaited];
      if (fresh.length > 0) {
        // An async function, so that what `start` throws at once is a rejection as well.
        const started = (async () => start(fresh.map(({ event }) => event)))();
        const fate = started
          .then((batch) => {
            for (const { digest } of fresh) remembered.add(digest);
            return batch;
          })
          .finally(() => {
            for (const { key } of fresh) onTheirWay.delete(key);
          });
        for (const { key } of fresh) onTheirWay.set(key, fate);
        fates.unshift(fate);
      }
      // All of them, so that a failure is told only once no other event's fate is open.
      const settled = await Promise.allSettled(fates);
      const failed = settled.find((fate) => fate.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      const [first] = settled;
      return {
        batch: first?.status === 'fulfilled' ? first.value : undefined,
        accepted: fresh.length,
      };
    },
  };
};
