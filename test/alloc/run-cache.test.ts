/** What an owner holds back of runs. */

import { expect, test } from 'vitest';
import { RunCache } from '../../src/alloc/run-cache.ts';
import { pagesFor } from '../../src/alloc/classes.ts';

function cacheFor(dataPages: number, isSmallPool: boolean = false): RunCache {
  const cache = new RunCache();
  cache.fit(dataPages, isSmallPool);
  return cache;
}

const lengths = Array.from({ length: 300 }, (_, index) => index + 1);
const made = lengths.filter((pages) => pages <= 256 && pagesFor(pages * 4096) === pages);

test('a run is had again at its length, and at no other', () => {
  const cache = cacheFor(2 ** 20);
  for (const pages of made) {
    expect(cache.push(pages * 64, pages)).toBe(true);
  }
  expect(cache.pages).toBe(made.reduce((sum, pages) => sum + pages));
  for (const pages of made) {
    expect(cache.pop(pages)).toBe(pages * 64);
    expect(cache.pop(pages)).toBe(0);
  }
  expect(cache.pages).toBe(0);
});

test('a run of a length that is not made any more, or of an extent, is not taken', () => {
  const cache = cacheFor(2 ** 20);
  const others = lengths.filter((pages) => !made.includes(pages));
  expect(others).toContain(33);
  for (const pages of others) expect(cache.push(64, pages)).toBe(false);
  expect(cache.pages).toBe(0);
});

test('of short runs a sixteenth of all pages is held, of longer ones an eighth, and never more than 32 MiB; in a small pool less', () => {
  for (const [dataPages, isSmallPool, shortMax, longMax] of [
    [16_384, false, 1024, 2048],
    [2 ** 30, false, 8192, 8192],
    [1024, true, 32, 0],
  ] as const) {
    const cache = cacheFor(dataPages, isSmallPool);
    const pushAll = (few: readonly number[]): number => {
      const before = cache.pages;
      for (const pages of few) {
        for (let run = 1; cache.push(run, pages);) run++;
      }
      return cache.pages - before;
    };
    expect(pushAll(made.filter((pages) => pages <= 32))).toBeLessThanOrEqual(shortMax);
    expect(pushAll(made.filter((pages) => pages > 32))).toBeLessThanOrEqual(longMax);
    expect(cache.pages).toBeGreaterThan((shortMax + longMax) / 2);
    const seen: number[] = [];
    cache.forEach((ref) => seen.push(ref));
    const given: number[] = [];
    cache.drain((ref) => given.push(ref));
    expect(new Set(given)).toEqual(new Set(seen));
    expect(given).toHaveLength(seen.length);
    expect(cache.pages).toBe(0);
  }
});
