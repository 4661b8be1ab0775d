/** Blocks stored elsewhere and loaded again, in two phases; cases of vLLM's offloading and of Mooncake's store, said of ours. */

import { describe, expect, test } from 'vitest';
import {
  type KvCacheOptions,
  KvCache,
  noRoom,
  Offload,
  type Transfer,
} from '../../src/kv/index.ts';
import { codeOf, range } from './tokens.ts';

function both(slots: number, more: Partial<KvCacheOptions> = {}): { kv: KvCache; far: Offload } {
  const kv = new KvCache({ blocks: 8, blockTokens: 4, requestsMax: 8, ...more });
  return { kv, far: new Offload(kv, { slots, transfersMax: 4 }) };
}

/** Computes and stores a prompt, then empties the cache of it. */
function storeAndForget(kv: KvCache, far: Offload, tokens: Int32Array): void {
  const sequence = kv.prefill(tokens);
  const transfer = far.prepareStore(sequence);
  kv.end(sequence);
  if (transfer !== undefined) far.complete(transfer.id);
  expect(kv.reset()).toBe(true);
}

const prompt = range(0, 10);
const longer = range(0, 14);

test('what is stored is loaded behind what is found, but for the last token', () => {
  const { kv, far } = both(8);
  const first = kv.prefill(range(0, 12));
  const store = far.prepareStore(first) as Transfer;
  expect([...store.blocks]).toEqual([0, 1, 2]);
  expect([...store.slots]).toEqual([0, 1, 2]);
  far.complete(store.id);
  kv.end(first);
  // The last two go: the least recently used.
  kv.end(kv.prefill(range(100, 100 + 28)));
  const second = kv.prefill(range(0, 12), { computed: false });
  expect(kv.matchedTokens(second)).toBe(4);
  const load = far.prepareLoad(second) as Transfer;
  expect(load.direction).toBe('load');
  expect([...load.slots]).toEqual([1]);
  expect([...load.blocks]).toEqual([kv.table(second)[1]]);
  const { cached } = kv.stats();
  far.complete(load.id);
  expect(kv.stats().cached).toBe(cached + 1);
  kv.end(second);
  expect(kv.matchedTokens(kv.prefill(range(0, 9)))).toBe(8);
});

describe('vLLM offload', () => {
  test('not-ready lookups miss: what is being stored is not loaded', () => {
    const { kv, far } = both(8);
    const first = kv.prefill(prompt);
    const store = far.prepareStore(first) as Transfer;
    kv.end(first);
    const fresh = kv.prefill(longer, { lookUp: false, computed: false });
    expect(far.prepareLoad(fresh)).toBeUndefined();
    far.complete(store.id);
    expect(far.prepareLoad(fresh)).toBeDefined();
  });

  test('a failed store is rolled back: slots free, nothing found, and it can be stored again', () => {
    const { kv, far } = both(8);
    const first = kv.prefill(prompt);
    const store = far.prepareStore(first) as Transfer;
    expect(far.stats()).toMatchObject({ free: 6, idle: 0, stored: 2 });
    far.cancel(store.id);
    expect(far.stats()).toEqual({ slots: 8, free: 8, idle: 0, stored: 0, underWay: 0 });
    const fresh = kv.prefill(longer, { lookUp: false, computed: false });
    expect(far.prepareLoad(fresh)).toBeUndefined();
    expect(far.prepareStore(first)?.blocks).toHaveLength(2);
  });

  test('an already stored block is not evicted during prepare', () => {
    const { kv, far } = both(3);
    storeAndForget(kv, far, prompt);
    storeAndForget(kv, far, range(50, 55));
    expect(far.stats()).toMatchObject({ free: 0, idle: 3 });
    // The two of `prompt` are the least recently used; of the longer one a third is to be stored.
    const sequence = kv.prefill(longer);
    const store = far.prepareStore(sequence) as Transfer;
    expect([...store.blocks]).toEqual([kv.table(sequence)[2]]);
    expect([...store.slots]).toEqual([2]);
  });

  test('a store that does not fit changes nothing', () => {
    const { kv, far } = both(3);
    storeAndForget(kv, far, range(50, 63));
    const sequence = kv.prefill(range(0, 17));
    const before = [far.stats(), kv.stats()];
    expect(far.prepareStore(sequence)).toBeUndefined();
    expect([far.stats(), kv.stats()]).toEqual(before);
    kv.end(sequence);
    const old = kv.prefill(range(50, 63), { lookUp: false, computed: false });
    expect(far.prepareLoad(old)?.slots).toHaveLength(3);
  });

  test('what is stored already is not stored again, and is the most recently used then', () => {
    const { kv, far } = both(4);
    storeAndForget(kv, far, prompt);
    storeAndForget(kv, far, range(50, 60));
    storeAndForget(kv, far, prompt);
    storeAndForget(kv, far, range(80, 90));
    const old = kv.prefill(longer, { computed: false });
    expect(far.prepareLoad(old)?.slots).toHaveLength(2);
    const gone = kv.prefill(range(50, 60), { computed: false });
    expect(far.prepareLoad(gone)).toBeUndefined();
  });

  test('blocks are in use until the transfer ends, whatever becomes of the sequence', () => {
    const { kv, far } = both(8);
    const first = kv.prefill(prompt);
    const store = far.prepareStore(first) as Transfer;
    kv.end(first);
    expect(kv.stats()).toMatchObject({ used: 2, idle: 0 });
    expect(kv.prefill(range(200, 200 + 28))).toBe(noRoom);
    expect(kv.reset()).toBe(false);
    far.complete(store.id);
    expect(kv.stats()).toMatchObject({ used: 0, idle: 2 });
    const second = kv.prefill(longer, { lookUp: false, computed: false });
    const load = far.prepareLoad(second) as Transfer;
    kv.abort(second);
    expect(kv.stats()).toMatchObject({ used: 2 });
    far.complete(load.id);
    // Its sequence is gone: the blocks are free, and none is found that was not there before.
    expect(kv.stats()).toMatchObject({ used: 0, cached: 2 });
  });

  test('a load that fails leaves the sequence to compute: nothing is found before it has', () => {
    const { kv, far } = both(8);
    storeAndForget(kv, far, prompt);
    const sequence = kv.prefill(longer, { computed: false });
    const load = far.prepareLoad(sequence) as Transfer;
    far.cancel(load.id);
    expect(kv.stats()).toMatchObject({ used: 4, cached: 0 });
    kv.computed(sequence, 14);
    expect(kv.stats().cached).toBe(3);
  });
});

describe('Mooncake', () => {
  test('leased objects are neither removed nor evicted: slots that are being loaded stay', () => {
    const { kv, far } = both(2);
    storeAndForget(kv, far, prompt);
    const sequence = kv.prefill(longer, { computed: false });
    const load = far.prepareLoad(sequence) as Transfer;
    const other = kv.prefill(range(50, 60));
    expect(far.prepareStore(other)).toBeUndefined();
    expect(far.reset()).toBe(false);
    far.complete(load.id);
    expect(far.prepareStore(other)?.slots).toHaveLength(2);
  });

  test('racing writers are deduplicated: what one is storing the other does not', () => {
    const { kv, far } = both(8);
    const first = kv.prefill(prompt);
    const second = kv.prefill(longer);
    const store = far.prepareStore(first) as Transfer;
    const rest = far.prepareStore(second) as Transfer;
    expect(rest.blocks).toHaveLength(1);
    far.complete(rest.id);
    far.complete(store.id);
    expect(far.stats()).toMatchObject({ stored: 3, idle: 3 });
  });

  test('put revoke refunds: all slots are free after every store was cancelled', () => {
    const { kv, far } = both(8, { blocks: 16 });
    const stores = [prompt, range(50, 60), range(80, 90)].map((tokens) =>
      far.prepareStore(kv.prefill(tokens)),
    );
    for (const store of stores) far.cancel((store as Transfer).id);
    expect(far.stats()).toMatchObject({ free: 8, idle: 0, stored: 0, underWay: 0 });
  });
});

test('a transfer holds the whole prefix of what it moves', () => {
  const { kv, far } = both(8);
  const first = kv.prefill(prompt);
  far.complete((far.prepareStore(first) as Transfer).id);
  kv.end(first);
  const second = kv.prefill(longer);
  const store = far.prepareStore(second) as Transfer;
  expect(store.blocks).toHaveLength(1);
  kv.end(second);
  expect(kv.stats()).toMatchObject({ used: 3, idle: 0 });
  far.cancel(store.id);
  expect(kv.stats()).toMatchObject({ used: 0, idle: 3 });
});

test('transfers are bounded, end once, and misuse changes nothing', () => {
  const { kv, far } = both(8);
  const sequences = [0, 20, 40, 60].map((from) => kv.prefill(range(from, from + 4)));
  const stores = sequences.map((sequence) => far.prepareStore(sequence) as Transfer);
  const last = kv.prefill(range(80, 84));
  expect(far.prepareStore(last)).toBeUndefined();
  const { id } = stores[0] as Transfer;
  far.complete(id);
  const before = far.stats();
  expect(codeOf(() => far.complete(id))).toBe('unknown_transfer');
  expect(codeOf(() => far.cancel(id))).toBe('unknown_transfer');
  expect(codeOf(() => far.prepareStore(10 ** 6))).toBe('unknown_sequence');
  expect(codeOf(() => new Offload(kv, { slots: 0 }))).toBe('invalid_argument');
  expect(far.stats()).toEqual(before);
  expect(far.prepareStore(last)).toBeDefined();
});
