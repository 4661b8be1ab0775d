/** Sliding windows: which prefix serves, and what is let go when. */

import { describe, expect, test } from 'vitest';
import { KvCache, noRoom, step } from '../../src/kv/index.ts';
import { Blocks } from '../../src/kv/blocks.ts';
import { Lru } from '../../src/evict/lru.ts';
import { match } from '../../src/kv/matching.ts';
import { Reports } from '../../src/kv/reports.ts';
import { Sequences } from '../../src/kv/sequences.ts';
import { range } from './tokens.ts';

/** A window that needs the two full blocks before a token. */
const window = { windowTokens: 4, blockTokens: 2 };

describe('vLLM test_sliding_window_possible_cached_prefix', () => {
  const cases: [cached: string, blocks: number][] = [
    ['', 0],
    ['-----', 0],
    ['x', 1],
    ['x-', 1],
    ['xx', 2],
    ['xx-', 2],
    ['xxx', 3],
    ['xxx-', 3],
    ['xx-x--xx-xxx', 12],
    ['xx-x--xx---', 8],
    ['xx-x--xx--xxx-', 13],
    ['xx-x--x-', 2],
    ['x-x-x-', 1],
    ['-x-x-x', 0],
  ];

  test.each(cases)('%s: %d blocks need not be computed', (cached, expected) => {
    const capacity = 16;
    const blocks = new Blocks(capacity, new Lru(capacity), false, new Reports(capacity), undefined);
    const keys = Int32Array.from({ length: 4 * cached.length }, (_, i) => 77 + i);
    const places = [...cached].map((mark, i) => {
      if (mark === '-') return -1;
      blocks.makeRoom(1);
      const place = blocks.take();
      blocks.seal(place, keys, 4 * i);
      return blocks.publish(place, -1, 0, i);
    });
    const state = { blocks, sequences: new Sequences(1), caching: true, keys, ...window };
    const table = new Int32Array(cached.length);
    expect(match(state, cached.length, table)).toBe(expected);
    const from = Math.max(0, expected - 2);
    expect([...table.subarray(from, expected)]).toEqual(places.slice(from, expected));
    expect([...table.subarray(0, from)]).toEqual(places.slice(0, from).map(() => -1));
  });
});

test('vLLM test_sliding_window_remove_skipped_blocks: blocks are let go once the next token does not see them', () => {
  const kv = new KvCache({ blocks: 12, requestsMax: 2, ...window });
  const sequence = kv.prefill(range(0, 3));
  const gone = (): number => [...kv.table(sequence)].filter((block) => block === -1).length;
  // The token at position p sees p − 3 … p.
  const lost = Array.from({ length: 8 }, () => {
    kv.decode(sequence, 1);
    return gone();
  });
  expect(lost).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  expect(kv.stats()).toMatchObject({ idle: 3, used: 3 });
});

test('what has left the window is given away first, the oldest first, while later blocks are in use', () => {
  const kv = new KvCache({ blocks: 6, requestsMax: 2, ...window });
  const sequence = kv.prefill(range(0, 8));
  kv.decode(sequence, 100);
  expect([...kv.table(sequence)]).toEqual([-1, -1, 2, 3, 4]);
  const other = kv.prefill(range(50, 54));
  expect([...kv.table(other)]).toEqual([5, 0]);
  expect(kv.prefill(range(70, 74))).toBe(noRoom);
});

test('a sequence of any length runs in a bounded number of blocks', () => {
  const kv = new KvCache({ blocks: 4, requestsMax: 1, ...window });
  const sequence = kv.prefill(range(0, 3));
  for (let i = 0; i < 100; i++) expect(kv.decode(sequence, i)).not.toBe(noRoom);
  expect(kv.length(sequence)).toBe(103);
  kv.end(sequence);
  expect(kv.stats()).toMatchObject({ used: 0, sequences: 0 });
});

test('a prefix whose first blocks are gone still serves', () => {
  const kv = new KvCache({ blocks: 6, requestsMax: 2, ...window });
  const first = kv.prefill(range(0, 9));
  for (let i = 9; i < 13; i++) kv.decode(first, i);
  kv.end(first);
  const rest = kv.prefill(range(50, 54));
  kv.end(rest);
  const again = kv.prefill(range(0, 13));
  expect(kv.matchedTokens(again)).toBe(12);
  expect([...kv.table(again)].filter((block) => block === -1)).toHaveLength(4);
  expect(kv.decode(again, 1)).toBe(step.written);
});
