/** What an owner holds back of runs. */

import { describe, expect, test } from 'vitest';
import { createAllocator, openAllocator, type PoolAllocator } from '../../src/alloc/allocator.ts';
import { pagesFor } from '../../src/alloc/classes.ts';
import { RunCache } from '../../src/alloc/run-cache.ts';
import type { Ref } from '../../src/memory/region.ts';
import { attachSharedRegion } from '../../src/memory/shared.ts';
import { kib, mib, sharedRegion } from './support/regions.ts';

function cacheFor(dataPages: number, isSmallPool: boolean = false, owners: number = 1): RunCache {
  const cache = new RunCache();
  cache.fit(dataPages, owners, isSmallPool);
  return cache;
}

const lengths = Array.from({ length: 300 }, (_, index) => index + 1);
const made = lengths.filter((pages) => pages <= 256 && pagesFor(pages * 4096) === pages);

test('a run is had again at its length', () => {
  const cache = cacheFor(2 ** 20);
  for (const pages of made) {
    expect(cache.push(pages * 64, pages)).toBe(true);
  }
  expect(cache.pages).toBe(made.reduce((sum, pages) => sum + pages));
  for (const pages of [...made].reverse()) {
    expect(cache.pop(pages)).toBe(pages * 64);
    expect(cache.poppedPages).toBe(pages);
    expect(cache.pop(pages)).toBe(0);
  }
  expect(cache.pages).toBe(0);
});

test('where no longer run of its length waits, the nearest of the next two lengths is had, and a short one never', () => {
  for (const [index, pages] of made.entries()) {
    for (const shortest of made.keys()) {
      const cache = cacheFor(2 ** 20);
      for (const length of made.slice(shortest)) cache.push(length * 64, length);
      const held = cache.pages;
      const nearest = Math.max(index, shortest);
      const isHad = nearest === index || (pages > 32 && nearest <= index + 2);
      const taken = isHad ? (made[nearest] as number) : 0;
      expect(cache.pop(pages)).toBe(taken * 64);
      expect(cache.pages).toBe(held - taken);
      if (isHad) expect(cache.poppedPages).toBe(taken);
    }
  }
});

test('where memory is short none is longer than was asked for', () => {
  const cache = cacheFor(2 ** 20);
  cache.mayBeLonger = false;
  cache.push(64, 80);
  expect(cache.pop(64)).toBe(0);
  expect(cache.pop(80)).toBe(64);
});

test('a run of a length that is not made any more, or of an extent, is not taken', () => {
  const cache = cacheFor(2 ** 20);
  const others = lengths.filter((pages) => !made.includes(pages));
  expect(others).toContain(33);
  for (const pages of others) expect(cache.push(64, pages)).toBe(false);
  expect(cache.pages).toBe(0);
});

test('a sixteenth of all pages is held as short runs, an eighth as longer ones or an equal share of a quarter, never more than 16 and 32 MiB; in a small pool less', () => {
  for (const [dataPages, isSmallPool, owners, shortMax, longMax] of [
    [16_384, false, 1, 1024, 2048],
    [16_384, false, 2, 1024, 2048],
    [16_384, false, 4, 1024, 1024],
    [16_384, false, 16, 1024, 256],
    [2 ** 30, false, 1, 4096, 8192],
    [1024, true, 1, 32, 0],
  ] as const) {
    const cache = cacheFor(dataPages, isSmallPool, owners);
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

describe('of two owners of a large pool', () => {
  const kind = 4;

  function owners(): [PoolAllocator, PoolAllocator] {
    const region = sharedRegion({ capacityBytes: 64 * mib, segmentBytes: 64 * mib });
    const first = createAllocator(region);
    return [first, openAllocator(attachSharedRegion(region.handle))];
  }

  function fill(allocator: PoolAllocator, sizeBytes: number): Ref[] {
    const refs: Ref[] = [];
    for (let ref = allocator.allocate(kind, sizeBytes); ref !== 0;) {
      refs.push(ref);
      ref = allocator.allocate(kind, sizeBytes);
    }
    return refs;
  }

  test('one that finds all it wants in what it holds gives back all the same when the other finds no memory', () => {
    const [one, other] = owners();
    const refs = fill(one, 200 * kib);
    for (const ref of refs.slice(0, 10)) one.free(ref, kind);
    expect(one.cache.pages).toBeGreaterThan(0);
    while (other.allocate(kind, 200 * kib) !== 0);
    one.free(one.allocate(kind, 200 * kib), kind);
    expect(other.allocate(kind, 200 * kib)).toBeGreaterThan(0);
  });

  test('one holds less of longer runs when more have come', () => {
    const region = sharedRegion({ capacityBytes: 64 * mib, segmentBytes: 64 * mib });
    const one = createAllocator(region);
    const most = 8 * mib;
    const hold = (): number => {
      const refs = Array.from({ length: 26 }, () => one.allocate(kind, mib));
      for (const ref of refs) one.free(ref, kind);
      return one.cache.pages * 4096;
    };
    expect(hold()).toBeGreaterThan(most / 2);
    for (let i = 0; i < 7; i++) openAllocator(attachSharedRegion(region.handle));
    const held = hold(); // makes runs meanwhile, and looks
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(most / 4);
  });

  test('a request that a longer run answers has all of it, and gives all of it back', () => {
    const [one] = owners();
    const first = one.allocate(kind, 320 * kib);
    one.allocate(kind, 320 * kib);
    one.free(first, kind);
    expect(one.allocate(kind, 257 * kib)).toBe(first);
    expect(one.sizeOf(first)).toBe(320 * kib);
    expect(one.check()).toEqual([]);
    one.free(first, kind);
    expect(one.check()).toEqual([]);
    expect(one.allocate(kind, 320 * kib)).toBe(first);
  });

  test('one that found no memory gets no longer run than it asks for, though another has filled it', () => {
    const [one, other] = owners();
    fill(other, 200 * kib);
    expect(one.cache.mayBeLonger).toBe(true);
    expect(one.allocate(kind, 200 * kib)).toBe(0);
    expect(one.cache.mayBeLonger).toBe(false);
  });

  test('below a limit less is held back', () => {
    const [one] = owners();
    one.setLimitBytes(8 * mib);
    const refs = fill(one, 100 * kib);
    for (const ref of refs) one.free(ref, kind);
    expect(one.cache.pages * 4096).toBeLessThanOrEqual(mib / 2);
    expect(one.cache.pages).toBeGreaterThan(0);
  });
});
