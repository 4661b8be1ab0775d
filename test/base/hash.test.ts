import { expect, test } from 'vitest';
import { hashHigh, hashLow, hashWords } from '../../src/base/hash.ts';

const count = 20_000;

function hashOf(word: number, seedLow = 1, seedHigh = 2): readonly [number, number] {
  hashWords(Int32Array.of(word, 7), 0, 2, seedLow, seedHigh);
  return [hashLow, hashHigh];
}

test('depends on every word, the length and both halves of the seed', () => {
  const words = Int32Array.of(1, 2, 3, 0);
  const seen = new Set<string>();
  const add = (from: number, to: number, low: number, high: number): void => {
    hashWords(words, from, to, low, high);
    seen.add(`${hashLow},${hashHigh}`);
  };
  add(0, 2, 5, 6);
  add(0, 3, 5, 6);
  add(0, 4, 5, 6);
  add(1, 3, 5, 6);
  add(0, 3, 4, 6);
  add(0, 3, 5, 7);
  expect(seen.size).toBe(6);
});

test('one flipped bit of input flips each bit of output about half the time', () => {
  const flips = new Int32Array(64);
  for (let i = 0; i < count; i++) {
    const [low, high] = hashOf(i);
    const [otherLow, otherHigh] = hashOf(i ^ (1 << (i & 31)));
    for (let bit = 0; bit < 32; bit++) {
      flips[bit] = (flips[bit] as number) + (((low ^ otherLow) >>> bit) & 1);
      flips[bit + 32] = (flips[bit + 32] as number) + (((high ^ otherHigh) >>> bit) & 1);
    }
  }
  // Six standard deviations of a fair coin.
  const tolerance = 6 * Math.sqrt(count / 4);
  for (const flipped of flips) expect(Math.abs(flipped - count / 2)).toBeLessThan(tolerance);
});

test('spreads sequential ids evenly over buckets', () => {
  const buckets = new Int32Array(64);
  for (let i = 0; i < count; i++) {
    const bucket = hashOf(i)[0] & 63;
    buckets[bucket] = (buckets[bucket] as number) + 1;
  }
  const mean = count / 64;
  for (const filled of buckets) expect(Math.abs(filled - mean)).toBeLessThan(6 * Math.sqrt(mean));
});
