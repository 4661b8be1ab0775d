/**
 * What vLLM's tests of its prefix cache demand of a block manager, said of ours. Theirs number blocks from 1 (0 is their null block), ours from 0.
 */

import { describe, expect, test } from 'vitest';
import { KvCache, noRoom, step, type KvCacheOptions } from '../../src/kv/index.ts';

const blockTokens = 16;

function cacheOf(blocks: number, more: Partial<KvCacheOptions> = {}): KvCache {
  return new KvCache({ blocks, blockTokens, requestsMax: 8, ...more });
}

const range = (from: number, to: number): Int32Array =>
  Int32Array.from({ length: to - from }, (_, i) => from + i);

/** 48 tokens in three blocks of one token each. */
const common = range(0, 48).map((i) => Math.floor(i / blockTokens));

/** `common`, then `count` times `token`. */
const withTail = (token: number, count: number): Int32Array =>
  Int32Array.from({ length: 48 + count }, (_, i) => (i < 48 ? (common[i] as number) : token));

/** Blocks in vLLM's numbers. */
const table = (kv: KvCache, sequence: number): number[] =>
  [...kv.table(sequence)].map((b) => b + 1);

/** The order in which blocks are given away, in vLLM's numbers: what a prompt that takes all gets. */
function freeOrder(kv: KvCache): number[] {
  const { free, idle } = kv.stats();
  const all = kv.prefill(range(10 ** 6, 10 ** 6 + (free + idle) * blockTokens));
  return table(kv, all);
}

test('test_prefill: only full blocks are found, freed tail first, and given away least recently used first', () => {
  const kv = cacheOf(10);
  const first = kv.prefill(withTail(3, 7));
  expect(table(kv, first)).toEqual([1, 2, 3, 4]);
  expect(kv.matchedTokens(first)).toBe(0);
  const second = kv.prefill(withTail(3, 5));
  expect(kv.matchedTokens(second)).toBe(48);
  expect(table(kv, second)).toEqual([1, 2, 3, 5]);
  expect(kv.stats()).toMatchObject({ free: 5, idle: 0, used: 5 });
  kv.end(first);
  kv.end(second);
  expect(kv.stats()).toMatchObject({ free: 7, idle: 3, used: 0 });
  const third = kv.prefill(withTail(3, 6));
  expect(kv.matchedTokens(third)).toBe(48);
  expect(table(kv, third)).toEqual([1, 2, 3, 6]);
  kv.end(third);
  expect(freeOrder(kv)).toEqual([7, 8, 9, 10, 4, 5, 6, 3, 2, 1]);
});

test('test_prefill_plp: a prompt that is computed anew doubles blocks and takes none of those that are cached', () => {
  const kv = cacheOf(10);
  const first = kv.prefill(withTail(3, 7), { lookUp: false });
  const second = kv.prefill(withTail(3, 5));
  expect(table(kv, second)).toEqual([1, 2, 3, 5]);
  kv.end(first);
  kv.end(second);
  const third = kv.prefill(withTail(3, 7), { lookUp: false });
  expect(kv.matchedTokens(third)).toBe(0);
  expect(table(kv, third)).toEqual([6, 7, 8, 9]);
  // The three that hold the keys count as used for as long as their doubles live.
  expect(kv.stats()).toMatchObject({ free: 3, idle: 0, used: 7, cached: 3 });
  kv.end(third);
  expect(kv.stats()).toMatchObject({ free: 7, idle: 3, used: 0, cached: 3 });
});

test('test_decode: a block is added at the boundary only', () => {
  const kv = cacheOf(10);
  const sequence = kv.prefill(withTail(3, 7));
  for (let i = 0; i < 4; i++) expect(kv.decode(sequence, 8)).toBe(step.written);
  expect(kv.stats().cached).toBe(3);
  expect(kv.append(sequence, new Int32Array(9 + 10).fill(7))).toBe(step.grew);
  expect(table(kv, sequence)).toEqual([1, 2, 3, 4, 5]);
  expect(kv.stats().cached).toBe(4);
  expect(kv.length(sequence)).toBe(78);
  kv.decode(sequence, 1);
  kv.decode(sequence, 1);
  expect(kv.stats().cached).toBe(5);
  expect(kv.decode(sequence, 1)).toBe(step.grew);
});

test('test_evict: blocks are freed tail first, in the order 10, 6, 5, 4, 3, 2, 1, 9, 8, 7', () => {
  const evicting = cacheOf(10);
  const finding = cacheOf(10);
  for (const kv of [evicting, finding]) {
    const first = kv.prefill(range(0, 5 * 16 + 7));
    const second = kv.prefill(range(87, 87 + 48));
    expect(table(kv, first)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(table(kv, second)).toEqual([7, 8, 9]);
    expect(kv.stats().free).toBe(1);
    kv.end(first);
    kv.end(second);
    expect(kv.stats()).toMatchObject({ free: 2, idle: 8 });
  }
  expect(freeOrder(evicting)).toEqual([10, 6, 5, 4, 3, 2, 1, 9, 8, 7]);
  const third = finding.prefill(range(0, 2 * 16 + 3));
  expect(finding.matchedTokens(third)).toBe(32);
  expect(table(finding, third)).toEqual([1, 2, 10]);
  expect(finding.stats()).toMatchObject({ free: 1, idle: 6 });
});

test('test_hash_block_correct_reuse: a block that is used anew is not found by what it held', () => {
  const kv = cacheOf(1);
  kv.end(kv.prefill(range(0, 16)));
  expect(kv.stats().cached).toBe(1);
  const partial = kv.prefill(range(0, 15));
  expect(table(kv, partial)).toEqual([1]);
  expect(kv.stats().cached).toBe(0);
});

test('test_computed_blocks_not_evicted: what a prompt finds is not given away for its rest', () => {
  const kv = cacheOf(2);
  const first = kv.prefill(range(0, 16));
  const second = kv.prefill(range(16, 32));
  kv.end(first);
  kv.end(second);
  const third = kv.prefill(range(0, 32));
  expect(kv.matchedTokens(third)).toBe(16);
  expect(table(kv, third)).toEqual([1, 2]);
});

test('test_basic_prefix_caching_disabled: nothing is found, and nothing stays', () => {
  const kv = new KvCache({ blocks: 4, blockTokens: 4, requestsMax: 4, caching: false });
  const first = kv.prefill(range(0, 10));
  expect(kv.table(first)).toHaveLength(3);
  kv.end(first);
  const second = kv.prefill(range(0, 16));
  expect(kv.matchedTokens(second)).toBe(0);
  expect(kv.table(second)).toHaveLength(4);
  expect(kv.prefill(range(0, 4))).toBe(noRoom);
});

test('test_cache_blocks: full blocks are found as soon as they are computed, and no sooner', () => {
  const kv = new KvCache({ blocks: 8, blockTokens: 4, requestsMax: 4 });
  const sequence = kv.prefill(range(0, 14), { computed: false });
  expect(kv.stats().cached).toBe(0);
  kv.computed(sequence, 11);
  expect(kv.stats().cached).toBe(2);
  kv.computed(sequence, 14);
  expect(kv.stats().cached).toBe(3);
});

describe('test_mm_prefix_caching', () => {
  /** Images at 11…20, 30…47 and 48…54; their placeholders are all alike. */
  const prompt = (last: number, count: number): Int32Array =>
    Int32Array.from({ length: 55 + count }, (_, i) => (i >= 55 ? last : i % 16 === 15 ? -1 : 5));
  const media = (third: string): { id: string; offset: number; length: number }[] => [
    { id: 'aaa', offset: 11, length: 10 },
    { id: 'bbb', offset: 30, length: 18 },
    { id: third, offset: 48, length: 7 },
  ];

  test('blocks with the same media are found, also after a partial block has filled', () => {
    const kv = cacheOf(10);
    const first = kv.prefill(prompt(100, 4), { media: media('ccc') });
    kv.append(first, new Int32Array(5).fill(8));
    expect(kv.stats().cached).toBe(4);
    expect(kv.matchedTokens(kv.prefill(prompt(200, 5), { media: media('ccc') }))).toBe(48);
    const again = Int32Array.from([...prompt(100, 4), 8, 8, 8, 8, 8, 8]);
    expect(kv.matchedTokens(kv.prefill(again, { media: media('ccc') }))).toBe(64);
    expect(kv.matchedTokens(kv.prefill(again, { media: media('ddd') }))).toBe(48);
  });

  test('equal tokens with other media, or the same elsewhere, are not found', () => {
    const kv = cacheOf(10);
    kv.end(kv.prefill(prompt(100, 4), { media: media('ccc') }));
    const moved = [{ id: 'aaa', offset: 10, length: 10 }];
    expect(kv.matchedTokens(kv.prefill(prompt(100, 4), { media: moved }))).toBe(0);
    expect(kv.matchedTokens(kv.prefill(prompt(100, 4)))).toBe(0);
  });
});

test('test_cache_key_salting: another salt finds nothing, the same finds all', () => {
  const kv = cacheOf(20);
  const acme = kv.scope({ salt: 'salt1' });
  kv.prefill(withTail(3, 11), { scope: acme });
  expect(kv.matchedTokens(kv.prefill(withTail(4, 11), { scope: acme }))).toBe(48);
  const same = kv.scope({ salt: 'salt1' });
  expect(kv.matchedTokens(kv.prefill(withTail(4, 11), { scope: same }))).toBe(48);
  const others = [{ salt: 'salt2' }, { adapter: 'salt1' }, { salt: 'salt1', adapter: 'a' }, {}];
  for (const other of others) {
    const sequence = kv.prefill(withTail(4, 11), { scope: kv.scope(other) });
    expect(kv.matchedTokens(sequence)).toBe(0);
    kv.end(sequence);
  }
});

test('test_prefill_not_enough_free_blocks_with_computed_blocks: a failed prefill changes no reference count', () => {
  const kv = cacheOf(10, { events: 100 });
  const first = kv.prefill(common);
  const twice = Int32Array.from([...common, ...common]);
  kv.end(kv.prefill(twice));
  const other = kv.prefill(new Int32Array(32).fill(7));
  const before = kv.stats();
  expect(before).toMatchObject({ free: 2, idle: 3, used: 5 });
  kv.takeEvents();
  expect(kv.prefill(Int32Array.from([...twice, ...common]))).toBe(noRoom);
  expect(kv.stats()).toEqual(before);
  expect(kv.takeEvents()).toEqual([]);
  kv.end(first);
  kv.end(other);
  expect(kv.stats()).toMatchObject({ used: 0 });
});

test('test_reset_prefix_cache: refused while a block is in use', () => {
  const kv = cacheOf(10, { events: 10 });
  const first = kv.prefill(withTail(3, 7));
  const second = kv.prefill(withTail(4, 7));
  expect(kv.reset()).toBe(false);
  expect(kv.stats().cached).toBe(3);
  kv.end(first);
  expect(kv.reset()).toBe(false);
  kv.end(second);
  expect(kv.reset()).toBe(true);
  expect(kv.stats()).toMatchObject({ free: 10, idle: 0, cached: 0 });
  expect(kv.matchedTokens(kv.prefill(withTail(3, 7)))).toBe(0);
  expect(kv.takeEvents().map(({ type }) => type)).toContain('cleared');
});

test('test_maybe_evict_cached_block: of two blocks with one key either is found while the other goes', () => {
  const kv = cacheOf(6);
  const first = kv.prefill(range(0, 16));
  const double = kv.prefill(range(0, 17), { lookUp: false });
  kv.end(first);
  // All that is idle or free goes: not the block that holds the key.
  const rest = kv.prefill(range(100, 100 + 48));
  expect(rest).not.toBe(noRoom);
  expect(kv.prefill(range(500, 516))).toBe(noRoom);
  kv.end(rest);
  const third = kv.prefill(range(0, 17));
  expect(kv.matchedTokens(third)).toBe(16);
  kv.end(double);
  expect(kv.matchedTokens(kv.prefill(range(0, 17)))).toBe(16);
});

describe.each([2, 3, 10])('test_kv_cache_events with %d blocks', (count) => {
  test('stored, removed and stored anew, then cleared', () => {
    const kv = cacheOf(count, { events: 1000 });
    const tokens = range(0, count * 16);
    const first = kv.prefill(tokens);
    const stored = kv.takeEvents();
    expect(stored.map(({ type }) => type)).toEqual(stored.map(() => 'stored'));
    expect(stored).toHaveLength(count);
    expect(kv.takeEvents()).toEqual([]);
    // Each names the one before it.
    const keys = stored.map(({ key }) => key);
    expect(stored.map(({ parent }) => parent)).toEqual([undefined, ...keys.slice(0, -1)]);
    kv.end(first);
    // All but the last block are found; the last is computed anew, in a block of its own.
    const second = kv.prefill(tokens);
    const anew = kv.takeEvents();
    expect(anew).toEqual([
      { type: 'removed', block: count - 1, key: keys.at(-1), parent: undefined },
      { type: 'stored', block: count - 1, key: keys.at(-1), parent: keys.at(-2) },
    ]);
    kv.end(second);
    expect(kv.reset()).toBe(true);
    expect(kv.takeEvents()).toEqual([{ type: 'cleared', block: -1, key: '', parent: undefined }]);
  });
});

test('test_kv_cache_events_with_lora: the same tokens under an adapter have other keys', () => {
  const kv = cacheOf(20, { events: 100 });
  kv.prefill(range(0, 32), { scope: kv.scope({ adapter: 'test_lora' }) });
  const withAdapter = kv.takeEvents().map(({ key }) => key);
  kv.prefill(range(0, 32));
  const without = kv.takeEvents().map(({ key }) => key);
  expect(new Set([...withAdapter, ...without]).size).toBe(4);
});

test('abort frees all blocks, and none that others use', () => {
  const kv = cacheOf(10);
  const first = kv.prefill(withTail(3, 7));
  const second = kv.prefill(withTail(4, 20));
  kv.abort(first);
  // The common blocks are in use by the second: they stay.
  expect(kv.stats()).toMatchObject({ used: 5, cached: 4 });
  kv.abort(second);
  expect(kv.stats()).toMatchObject({ free: 7, idle: 3, used: 0, cached: 3 });
});
