/** What SGLang's tests of its radix cache demand, said of chained blocks. */

import { describe, expect, test } from 'vitest';
import { KvCache, type KvCacheOptions, noRoom } from '../../src/kv/index.ts';
import { range } from './tokens.ts';

function cacheOf(blocks: number, more: Partial<KvCacheOptions> = {}): KvCache {
  return new KvCache({ blocks, blockTokens: 4, requestsMax: 8, ...more });
}

/** `shared` tokens 0, 1, … and then others up to `length`. */
const branch = (shared: number, length: number, other: number): Int32Array =>
  range(0, length).map((i) => (i < shared ? i : 1000 * other + i));

function run(kv: KvCache, tokens: Int32Array): number {
  const sequence = kv.prefill(tokens);
  expect(sequence).not.toBe(noRoom);
  const matched = kv.matchedTokens(sequence);
  kv.end(sequence);
  return matched;
}

test('split: where two prompts part, both stay whole', () => {
  const kv = cacheOf(32);
  expect(run(kv, branch(21, 21, 0))).toBe(0);
  expect(run(kv, branch(12, 21, 1))).toBe(12);
  expect(run(kv, branch(8, 21, 2))).toBe(8);
  expect(run(kv, branch(21, 21, 0))).toBe(20);
  expect(run(kv, branch(12, 21, 1))).toBe(20);
  expect(run(kv, branch(8, 21, 2))).toBe(20);
});

test('page alignment: what is found is a multiple of a block, and less than the prompt', () => {
  const kv = cacheOf(32);
  run(kv, branch(24, 24, 0));
  for (let shared = 0; shared <= 24; shared++) {
    for (const length of [shared + 1, 24]) {
      const sequence = kv.prefill(branch(shared, length, 9));
      const most = shared === length ? length - 1 : shared;
      expect(kv.matchedTokens(sequence)).toBe(most - (most % 4));
      kv.abort(sequence);
    }
  }
});

test('namespace isolation: neither tenant nor adapter finds what another wrote', () => {
  const kv = cacheOf(32);
  const scopes = [{ salt: 'a' }, { salt: 'b' }, { salt: 'a', adapter: 'x' }].map((scope) =>
    kv.scope(scope),
  );
  for (const wanted of [0, 8]) {
    for (const scope of scopes) {
      const sequence = kv.prefill(range(0, 9), { scope });
      expect(kv.matchedTokens(sequence)).toBe(wanted);
      kv.end(sequence);
    }
  }
});

test('lock references: what a sequence uses is not evicted, what two use not before both have ended', () => {
  const kv = cacheOf(4);
  const first = kv.prefill(range(0, 8));
  const second = kv.prefill(range(0, 9));
  expect(kv.stats()).toMatchObject({ free: 1, used: 3 });
  kv.end(first);
  expect(kv.prefill(range(100, 108))).toBe(noRoom);
  kv.end(second);
  expect(kv.stats()).toMatchObject({ free: 2, idle: 2, used: 0 });
  expect(run(kv, range(100, 116))).toBe(0);
  expect(run(kv, range(0, 9))).toBe(0);
});

test('eviction order: leaves first, of them the least recently used; a prefix goes after all that extend it', () => {
  const kv = cacheOf(7, { events: 100 });
  run(kv, branch(12, 12, 0));
  run(kv, branch(8, 16, 1));
  // Blocks 0 1 2 of the first, 0 1 3 4 of the second; then the first is used again.
  run(kv, branch(12, 12, 0));
  kv.takeEvents();
  kv.prefill(range(5000, 5028));
  const removed = kv.takeEvents().filter(({ type }) => type === 'removed');
  expect(removed.map(({ block }) => block)).toEqual([4, 3, 2, 1, 0]);
});

test('lazy and eager compaction equal: room made block by block or at once leaves the same', () => {
  const lazy = cacheOf(8);
  const eager = cacheOf(8);
  for (const kv of [lazy, eager]) {
    run(kv, branch(12, 12, 0));
    run(kv, branch(4, 16, 1));
  }
  const growing = lazy.prefill(range(900, 904));
  for (let i = 0; i < 12; i++) lazy.decode(growing, i);
  const whole = eager.prefill(range(900, 904));
  eager.append(whole, range(0, 12));
  expect(lazy.stats()).toEqual(eager.stats());
  lazy.end(growing);
  eager.end(whole);
  for (const tokens of [branch(12, 13, 0), branch(4, 17, 1)]) {
    const [left, right] = [lazy.prefill(tokens), eager.prefill(tokens)];
    expect(lazy.matchedTokens(left)).toBe(eager.matchedTokens(right));
    lazy.end(left);
    eager.end(right);
  }
});

describe('streaming session abort', () => {
  test('what the session wrote is gone, what it found stays, nothing is lost', () => {
    const kv = cacheOf(16);
    run(kv, range(0, 9));
    const session = kv.prefill(range(0, 13));
    expect(kv.matchedTokens(session)).toBe(8);
    kv.append(session, range(100, 120));
    kv.decode(session, 7);
    kv.abort(session);
    expect(kv.stats()).toMatchObject({ used: 0, idle: 2, free: 14, cached: 2 });
    expect(run(kv, range(0, 13))).toBe(8);
  });

  test('a session that forked leaves the other one whole', () => {
    const kv = cacheOf(16);
    const session = kv.prefill(range(0, 10));
    const fork = kv.fork(session);
    kv.append(session, range(50, 60));
    const table = [...kv.table(fork)];
    kv.abort(session);
    expect([...kv.table(fork)]).toEqual(table);
    expect(kv.decode(fork, 1)).toBe(0);
    kv.end(fork);
    expect(kv.stats()).toMatchObject({ used: 0, sequences: 0 });
  });
});

test('Mooncake, allocator back to full size after random free: whatever the order of ends', () => {
  for (let order = 0; order < 6; order++) {
    const kv = cacheOf(16);
    const all = [range(0, 10), range(0, 14), range(100, 109)].map((tokens) => kv.prefill(tokens));
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];
    for (const index of orders[order] as number[]) kv.end(all[index] as number);
    const { free, idle, used } = kv.stats();
    expect([free + idle, used]).toEqual([16, 0]);
    expect(kv.reset()).toBe(true);
    expect(kv.stats().free).toBe(16);
  }
});
