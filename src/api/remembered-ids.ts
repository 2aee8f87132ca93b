/** A set of hashes in fixed memory, that forgets the oldest. */
export interface RememberedIds {
  has(hash: Uint8Array): boolean;
  add(hash: Uint8Array): void;
  /** What its tables hold of memory now, in bytes. */
  bytes(): number;
}

const shardCount = 64;
const firstSlots = 64;
/** The fullest that a table gets: beyond it, probing costs more than doubling. */
const fill = 0.75;

/** An open-addressing table of 64-bit hashes, two words each; a slot of two zeros is empty. */
interface Table {
  words: Uint32Array;
  count: number;
}

const emptyTable = (slots: number): Table => ({ words: new Uint32Array(2 * slots), count: 0 });
const slotsOf = ({ words }: Table): number => words.length / 2;

/** The place of a hash's first word, or of the empty slot where it would be put. */
const find = ({ words }: Table, high: number, low: number): number => {
  const mask = words.length - 1;
  let at = (low * 2) & mask;
  while (words[at] !== 0 || words[at + 1] !== 0) {
    if (words[at] === high && words[at + 1] === low) break;
    at = (at + 2) & mask;
  }
  return at;
};

const put = (table: Table, high: number, low: number): void => {
  const at = find(table, high, low);
  table.words[at] = high;
  table.words[at + 1] = low;
  table.count++;
};

const doubled = (table: Table): Table => {
  const larger = emptyTable(2 * slotsOf(table));
  for (let at = 0; at < table.words.length; at += 2) {
    const high = table.words[at]!;
    const low = table.words[at + 1]!;
    if (high !== 0 || low !== 0) put(larger, high, low);
  }
  return larger;
};

/** Ids by when they came: once `current` is full it becomes `previous`, whose ids are forgotten. */
interface Shard {
  current: Table;
  previous: Table | undefined;
}

/**
 * Remembers, of each added hash, the first 64 bits, in two generations: a hash is found until at
 * least `atLeast` others were added after it, and until at most twice as many. (Give or take 2 %:
 * the hash itself picks one of 64 shards, so that no table is so large that to double it would be
 * felt.) Full, it holds 8 / 0.75 = 10.7 bytes a hash; it begins with 64 KiB and grows as it fills.
 *
 * By default that is 1,572,864 to 3,145,728 ids in at most 32 MiB. The window is thus at 100
 * events/s at least 4 h 22 min, at 1,000/s 26 min, at 10,000/s 157 s. A new id is mistaken for one
 * of 3.1 M remembered ones with probability 3.1 M / 2^64 = 1.7e-13: at 10,000 events/s once in some
 * twenty years.
 * @param atLeast rounded up to 48 times a power of two
 */
export const createRememberedIds = (atLeast = 1_572_864): RememberedIds => {
  let slots = firstSlots;
  while (slots * fill * shardCount < atLeast) slots *= 2;
  const shards = Array.from({ length: shardCount }, (): Shard => ({
    current: emptyTable(firstSlots),
    previous: undefined,
  }));
  const high = (hash: Uint8Array): number =>
    ((hash[0]! << 24) | (hash[1]! << 16) | (hash[2]! << 8) | hash[3]!) >>> 0;
  // Never 0, so that no hash looks like an empty slot.
  const low = (hash: Uint8Array): number =>
    ((hash[4]! << 24) | (hash[5]! << 16) | (hash[6]! << 8) | hash[7]!) >>> 0 || 1;
  const shardOf = (hash: Uint8Array): Shard => shards[hash[0]! % shardCount]!;
  const holds = (table: Table | undefined, hash: Uint8Array): boolean =>
    table !== undefined && table.words[find(table, high(hash), low(hash)) + 1] !== 0;

  return {
    has: (hash) => {
      const { current, previous } = shardOf(hash);
      return holds(current, hash) || holds(previous, hash);
    },
    add: (hash) => {
      const shard = shardOf(hash);
      if (holds(shard.current, hash)) return;
      if (shard.current.count >= slotsOf(shard.current) * fill) {
        if (slotsOf(shard.current) < slots) shard.current = doubled(shard.current);
        else {
          shard.previous = shard.current;
          shard.current = emptyTable(slots);
        }
      }
      put(shard.current, high(hash), low(hash));
    },
    bytes: () =>
      shards.reduce(
        (sum, { current, previous }) =>
          sum + current.words.byteLength + (previous?.words.byteLength ?? 0),
        0,
      ),
  };
};
