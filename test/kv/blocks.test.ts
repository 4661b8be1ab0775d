/** Blocks and their keys, below sequences. */

import { expect, test } from 'vitest';
import { noPlace } from '../../src/evict/api.ts';
import { Lru } from '../../src/evict/lru.ts';
import { Blocks } from '../../src/kv/blocks.ts';
import { Reports } from '../../src/kv/reports.ts';

function filled(keys: Int32Array): Blocks {
  const count = keys.length / 4;
  const blocks = new Blocks(count, new Lru(count), true, new Reports(count), undefined);
  for (let i = 0; i < count; i++) {
    const place = blocks.take();
    blocks.seal(place, keys, 4 * i);
    expect(blocks.publish(place, noPlace, 0, i)).toBe(i);
  }
  return blocks;
}

test('keys that differ in any one bit are different', () => {
  const base = Int32Array.of(0x1234567, -5, 0, 77);
  const keys = new Int32Array(4 * 129);
  for (let bit = 0; bit <= 128; bit++) {
    keys.set(base, 4 * bit);
    const word = 4 * bit + (bit >> 5);
    if (bit < 128) keys[word] = (keys[word] as number) ^ (1 << (bit & 31));
  }
  const blocks = filled(keys);
  for (let i = 0; i <= 128; i++) expect(blocks.find(keys, 4 * i)).toBe(i);
  expect(blocks.find(Int32Array.of(9, 9, 9, 9), 0)).toBe(noPlace);
});

test('blocks of one bucket are found whichever of them goes first', () => {
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    const keys = Int32Array.of(64, 1, 1, 1, 64, 2, 2, 2, 64, 3, 3, 3);
    const blocks = filled(keys);
    for (const place of order) blocks.release(place);
    const gone = new Set<number>();
    for (const place of order) {
      gone.add(place);
      expect(blocks.makeRoom(gone.size)).toBe(true);
      for (let i = 0; i < 3; i++) expect(blocks.find(keys, 4 * i)).toBe(gone.has(i) ? noPlace : i);
    }
    expect(blocks.makeRoom(4)).toBe(false);
  }
});
