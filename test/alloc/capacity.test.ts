/** Exhaustion, growth, limits, and giving back: to the last page. */

import { describe, expect, test } from 'vitest';
import { createAllocator, type PoolAllocator } from '../../src/alloc/allocator.ts';
import { classBytes, classCount } from '../../src/alloc/classes.ts';
import { kinds } from '../../src/alloc/kind.ts';
import { binCount, binsInUseWord } from '../../src/alloc/layout.ts';
import { CenoteError } from '../../src/errors.ts';
import { segmentLockWord } from '../../src/memory/layout.ts';
import { lockTokenOf } from '../../src/memory/lock.ts';
import type { Ref, Segment } from '../../src/memory/region.ts';
import { attachSharedRegion } from '../../src/memory/shared.ts';
import { codeOf } from '../memory/support/regions.ts';
import { rounds, seed } from '../support/seed.ts';
import { Random } from './support/random.ts';
import { fill } from './support/fill.ts';
import { kib, mib, sharedRegion, SmallRegion } from './support/regions.ts';

const page = 4096;

function quiet(allocator: PoolAllocator): unknown {
  return { ...allocator.stats(), allocations: 0, frees: 0, failures: 0 };
}

describe('a segment of 4 MiB', () => {
  const make = (): PoolAllocator => createAllocator(sharedRegion({ capacityBytes: 4 * mib }));

  test.each(Array.from({ length: classCount }, (_, sizeClass) => sizeClass))(
    'class %i fills every slab window to the last block',
    (sizeClass) => {
      const allocator = make();
      const { freeBytes } = allocator.stats();
      const refs = fill(allocator, 2, classBytes(sizeClass));
      const windows = Math.floor(freeBytes / (16 * kib));
      expect(refs.length).toBe(windows * Math.floor((16 * kib) / classBytes(sizeClass)));
      expect(new Set(refs).size).toBe(refs.length);
      expect(allocator.check()).toEqual([]);
      expect(allocator.allocate(2, classBytes(sizeClass))).toBe(0);
    },
  );

  test.each([5_000, 3 * page, 4 * page, 7 * page, 64 * page, 257 * page])(
    'runs of %i bytes fill it to less than one more',
    (sizeBytes) => {
      const allocator = make();
      const pages = allocator.stats().freeBytes / page;
      const pagesEach = Math.ceil(sizeBytes / page);
      expect(fill(allocator, 3, sizeBytes).length).toBe(Math.floor(pages / pagesEach));
      expect(allocator.stats().freeBytes).toBe((pages % pagesEach) * page);
      expect(allocator.check()).toEqual([]);
    },
  );

  test('a run that does not show while another is at work in its segment is not taken for missing', () => {
    const region = sharedRegion({ capacityBytes: 4 * mib });
    const allocator = createAllocator(region, { lockWaitMs: 0 });
    const { words } = region.segments[0] as Segment;
    const another = attachSharedRegion(region.handle);
    words[segmentLockWord] = lockTokenOf(another);
    // As it is between taking out two free runs and putting in what they make together.
    const bins = words.slice(binsInUseWord, binsInUseWord + binCount / 32);
    words.fill(0, binsInUseWord, binsInUseWord + bins.length);
    expect(codeOf(() => allocator.allocate(3, 64 * page))).toBe('pool_busy');
    words.set(bins, binsInUseWord);
    words[segmentLockWord] = 0;
    expect(allocator.allocate(3, 64 * page)).toBeGreaterThan(0);
    another.close();
  });

  test('a failed request changes nothing but the count of failures', () => {
    const allocator = make();
    fill(allocator, 3, page);
    allocator.flush();
    const before = quiet(allocator);
    const { failures } = allocator.stats();
    for (const kind of kinds.keys()) {
      expect(allocator.allocate(kind, 64)).toBe(0);
      expect(allocator.allocate(kind, 9_000)).toBe(0);
    }
    expect(quiet(allocator)).toEqual(before);
    expect(allocator.stats().failures).toBe(failures + 2 * kinds.length);
    expect(allocator.check()).toEqual([]);
  });

  test('after frees in any order all of it is one run again', () => {
    const random = new Random(seed());
    for (let round = 0; round < rounds(20, 200); round++) {
      const allocator = make();
      const empty = quiet(allocator);
      const held: { ref: Ref; kind: number }[] = [];
      for (let failures = 0; failures < 20;) {
        const kind = random.below(kinds.length);
        const ref = allocator.allocate(kind, random.sizeBytes(mib));
        if (ref === 0) failures++;
        else held.push({ ref, kind });
      }
      while (held.length > 0) {
        const [last] = held.splice(random.below(held.length), 1);
        if (last !== undefined) allocator.free(last.ref, last.kind);
      }
      allocator.flush();
      expect(quiet(allocator)).toEqual(empty);
      expect(allocator.check()).toEqual([]);
    }
  });

  test('blocks that wait in stacks are used before a request fails', () => {
    const allocator = make();
    const blocks = fill(allocator, 1, 64);
    for (const ref of blocks) allocator.free(ref, 1);
    expect(allocator.stats().freeBytes).toBeLessThan(allocator.maxAllocationBytes);
    expect(allocator.allocate(3, allocator.maxAllocationBytes)).toBeGreaterThan(0);
  });
});

describe('growth', () => {
  test('adds segments until capacity is used up', () => {
    const region = sharedRegion({ capacityBytes: 16 * mib, segmentBytes: 4 * mib });
    const allocator = createAllocator(region);
    const refs = fill(allocator, 4, 500 * kib);
    expect(region.segments.length).toBe(4);
    expect(allocator.check()).toEqual([]);
    for (const ref of refs) allocator.free(ref, 4);
    expect(allocator.dropEmptySegments()).toBe(3);
    expect(region.segments.length).toBe(1);
    expect(allocator.check()).toEqual([]);
    expect(fill(allocator, 4, 500 * kib).length).toBe(refs.length);
    expect(allocator.check()).toEqual([]);
  });

  test('keeps segments below one in use', () => {
    const region = sharedRegion({ capacityBytes: 12 * mib, segmentBytes: 4 * mib });
    const allocator = createAllocator(region);
    const refs = fill(allocator, 4, 3 * mib);
    expect(refs.length).toBe(3);
    allocator.free(refs[1] as Ref, 4);
    expect(allocator.dropEmptySegments()).toBe(0);
    allocator.free(refs[2] as Ref, 4);
    expect(allocator.dropEmptySegments()).toBe(2);
    expect(allocator.isLive(refs[0] as Ref)).toBe(true);
    expect(allocator.isLive(refs[2] as Ref)).toBe(false);
    expect(allocator.check()).toEqual([]);
  });

  test('goes on while a segment that was added is too small', () => {
    const region = new SmallRegion({ segmentBytes: [1024 * kib, 256 * kib, 1024 * kib] });
    const allocator = createAllocator(region);
    expect(allocator.allocate(3, 900 * kib)).toBeGreaterThan(0);
    expect(allocator.allocate(3, 900 * kib)).toBeGreaterThan(0);
    expect(region.segments.length).toBe(3);
    expect(allocator.check()).toEqual([]);
  });

  test('a machine without memory is a full pool, and is asked again after a while', () => {
    const region = new SmallRegion({ segmentBytes: [256 * kib, 256 * kib] });
    const allocator = createAllocator(region);
    expect(allocator.allocate(3, 150 * kib)).toBeGreaterThan(0);
    region.failure = new CenoteError('memory_unavailable', 'no memory left');
    expect(allocator.allocate(3, 150 * kib)).toBe(0);
    region.failure = undefined;
    let requests = 1;
    while (requests < 1000 && allocator.allocate(3, 150 * kib) === 0) requests++;
    expect(requests).toBe(65);
    expect(allocator.check()).toEqual([]);
  });

  test('a new limit makes it ask at once', () => {
    const region = new SmallRegion({ segmentBytes: [256 * kib, 256 * kib] });
    const allocator = createAllocator(region);
    allocator.allocate(3, 150 * kib);
    region.failure = new CenoteError('memory_unavailable', 'no memory left');
    expect(allocator.allocate(3, 150 * kib)).toBe(0);
    region.failure = undefined;
    allocator.setLimitBytes(Infinity);
    expect(allocator.allocate(3, 150 * kib)).toBeGreaterThan(0);
  });

  test('any other failure is thrown, and nothing has changed', () => {
    const region = new SmallRegion({ segmentBytes: [256 * kib, 256 * kib] });
    const allocator = createAllocator(region);
    allocator.allocate(3, 150 * kib);
    const before = allocator.stats();
    region.failure = new CenoteError('io_failed', 'the disk is gone');
    expect(() => allocator.allocate(3, 150 * kib)).toThrow('the disk is gone');
    expect(() => allocator.allocate(3, 150 * kib)).toThrow('the disk is gone');
    expect(allocator.stats()).toEqual(before);
    expect(allocator.check()).toEqual([]);
  });

  test('a segment that was in use before is formatted anew', () => {
    const region = sharedRegion({ capacityBytes: 8 * mib, segmentBytes: 4 * mib });
    const allocator = createAllocator(region);
    for (let round = 0; round < 3; round++) {
      const refs = fill(allocator, 2, 100 + round * 1_000);
      expect(region.segments.length).toBe(2);
      for (const ref of refs) allocator.free(ref, 2);
      expect(allocator.dropEmptySegments()).toBe(1);
    }
    expect(allocator.check()).toEqual([]);
  });
});

describe('a limit', () => {
  test('bounds used bytes, slabs and runs alike', () => {
    const region = sharedRegion({ capacityBytes: 16 * mib, segmentBytes: 4 * mib });
    const allocator = createAllocator(region);
    allocator.setLimitBytes(mib);
    fill(allocator, 1, 3_000);
    fill(allocator, 3, page);
    const { usedBytes } = allocator.stats();
    expect(usedBytes).toBe(mib);
    expect(region.segments.length).toBe(1);
    allocator.setLimitBytes(2 * mib);
    fill(allocator, 3, page);
    expect(allocator.stats().usedBytes).toBe(2 * mib);
    expect(allocator.check()).toEqual([]);
  });

  test('below what is used refuses until enough is freed', () => {
    const allocator = createAllocator(sharedRegion({ capacityBytes: 4 * mib }));
    const refs = Array.from({ length: 100 }, () => allocator.allocate(3, 2 * page));
    allocator.setLimitBytes(50 * page);
    expect(allocator.allocate(3, page)).toBe(0);
    for (const ref of refs.slice(0, 75)) allocator.free(ref, 3);
    expect(allocator.allocate(3, page + 1)).toBe(0);
    allocator.free(refs[80] as Ref, 3);
    expect(allocator.allocate(3, page + 1)).toBeGreaterThan(0);
  });

  test('outlives recovery', () => {
    const allocator = createAllocator(sharedRegion({ capacityBytes: 4 * mib }));
    allocator.setLimitBytes(mib);
    allocator.recover();
    expect(allocator.allocate(0, mib + 1)).toBe(0);
    expect(allocator.allocate(0, mib)).toBeGreaterThan(0);
  });

  test('of zero refuses everything', () => {
    const allocator = createAllocator(sharedRegion({ capacityBytes: 4 * mib }));
    allocator.setLimitBytes(0);
    expect(allocator.allocate(0, 1)).toBe(0);
    expect(allocator.allocate(0, 100_000)).toBe(0);
  });
});
