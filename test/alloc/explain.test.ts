/** Why memory is refused, who holds it, and what would free some; and how much of it lies idle. */

import { describe, expect, test } from 'vitest';
import { createAllocator, type PoolAllocator } from '../../src/alloc/allocator.ts';
import { hasCode } from '../../src/errors.ts';
import { House } from './support/house.ts';
import { fill } from './support/fill.ts';
import { kib, mib, sharedRegion } from './support/regions.ts';

const page = 4096;

const make = (): PoolAllocator => createAllocator(sharedRegion({ capacityBytes: 4 * mib }));

describe('the verdict', () => {
  test('is none while there is room, or the region may grow', () => {
    const region = sharedRegion({ capacityBytes: 8 * mib, segmentBytes: 4 * mib });
    const allocator = createAllocator(region);
    const { freeBytes } = allocator.stats();
    expect(allocator.explain(3, mib)).toMatchObject({
      reason: 'none',
      neededBytes: mib,
      freeBytes,
      limitBytes: Infinity,
      growthBytes: 4 * mib,
      largestFreeRunBytes: { l1: 16 * kib, l2: mib, l3: freeBytes },
      topHolders: [],
    });
    allocator.allocate(3, freeBytes);
    expect(allocator.explain(3, mib).reason).toBe('none');
    expect(allocator.allocate(3, mib)).toBeGreaterThan(0);
  });

  test('is limit when used bytes would pass it', () => {
    const allocator = make();
    allocator.setLimitBytes(mib);
    fill(allocator, 2, 100_000);
    const verdict = allocator.explain(2, 100_000);
    expect(verdict.reason).toBe('limit');
    expect(verdict.limitBytes).toBe(mib);
    expect(verdict.usedBytes + verdict.neededBytes).toBeGreaterThan(mib);
    expect(allocator.allocate(2, 100_000)).toBe(0);
  });

  test('is fragmentation when enough is free, but not in one place', () => {
    const allocator = make();
    const refs = fill(allocator, 4, 10 * page);
    for (const [index, ref] of refs.entries()) if (index % 2 === 0) allocator.free(ref, 4);
    allocator.flush();
    expect(allocator.allocate(4, 11 * page + 10 * page)).toBe(0);
    const verdict = allocator.explain(4, 21 * page);
    expect(verdict.reason).toBe('fragmentation');
    expect(verdict.freeBytes).toBeGreaterThan(21 * page);
    expect(verdict.largestFreeRunBytes.l2).toBeLessThan(21 * page);
    expect(verdict.wouldFree.compaction).toBe(verdict.freeBytes - verdict.largestFreeRunBytes.l2);
    expect(allocator.stats().fragmentation.external).toBeCloseTo(
      1 - verdict.largestFreeRunBytes.l2 / verdict.freeBytes,
    );
  });

  test('is memory when not enough is free, and names who holds most', () => {
    const allocator = make();
    allocator.allocate(1, 100);
    allocator.allocate(3, 1_200_000);
    fill(allocator, 4, 9 * page);
    fill(allocator, 4, page + 1);
    const verdict = allocator.explain(2, 200_000);
    expect(verdict.reason).toBe('memory');
    const [first, second, third] = verdict.topHolders;
    expect([first?.kind, first?.tier]).toEqual([4, 'l2']);
    expect([second?.kind, second?.tier]).toEqual([3, 'l3']);
    expect(third).toEqual({ kind: 1, tier: 'l1', usedBytes: 16 * kib, liveBytes: 128 });
    expect(allocator.allocate(2, 200_000)).toBe(0);
  });

  test('is none while a slab of its kind and class has a block', () => {
    const allocator = make();
    allocator.allocate(1, 100);
    fill(allocator, 4, 9 * page);
    fill(allocator, 4, page + 1);
    fill(allocator, 4, page);
    expect(allocator.explain(1, 100).reason).toBe('none');
    expect(allocator.explain(1, 300).reason).toBe('memory');
    expect(allocator.explain(2, 100).reason).toBe('memory');
    expect(allocator.allocate(1, 100)).toBeGreaterThan(0);
  });

  test('tells what a flush, and recovery of the dead, would free', () => {
    const house = new House({ segmentBytes: [3 * mib] }, [0, 5, 7], 0);
    const cached = house.allocate(0, 2, 3 * page);
    house.free(0, cached);
    house.free(5, house.allocate(5, 2, 2 * page));
    const kept = house.allocate(7, 1, 10 * page);
    house.allocate(7, 3, 20 * page, false);
    house.allocate(7, 3, 100, false);
    house.die(7);
    const { wouldFree } = house.of(0).explain(1, mib);
    expect(wouldFree).toMatchObject({
      ownFlush: 3 * page,
      othersFlush: 2 * page,
      recovery: 20 * page + 16 * kib,
    });
    const before = house.of(0).usedBytes;
    expect(house.of(0).recoverOwner(7)).toBe(true);
    expect(before - house.of(0).usedBytes).toBe(wouldFree.recovery);
    house.of(0).flush();
    house.of(5).flush();
    expect(house.of(0).usedBytes).toBe(10 * page);
    expect(house.of(0).isLive(kept)).toBe(true);
  });

  test.each([
    [9, 64, 'invalid_argument'],
    [1, 0, 'invalid_argument'],
    [1, 2 ** 40, 'value_too_large'],
  ] as const)('on kind %i, %d bytes is %s', (kind, sizeBytes, code) => {
    let thrown: unknown;
    try {
      make().explain(kind, sizeBytes);
    } catch (error) {
      thrown = error;
    }
    expect(hasCode(thrown, code)).toBe(true);
  });
});

test('waste is told by kind and tier', () => {
  const allocator = make();
  expect(allocator.stats().fragmentation).toMatchObject({ external: 0, internal: 0, temporal: 0 });
  allocator.allocate(1, 3_000); // 5 blocks of 3072 in 16384: 1024 bytes are left
  const gone = allocator.allocate(2, 3 * page);
  allocator.free(gone, 2);
  const { fragmentation, usedBytes } = allocator.stats();
  expect(fragmentation.kinds[1]).toEqual({ internalBytes: 1024, idleBytes: 4 * 3072 });
  expect(fragmentation.kinds[2]).toEqual({ internalBytes: 0, idleBytes: 3 * page });
  expect(fragmentation.tiers.l1).toEqual(fragmentation.kinds[1]);
  expect(fragmentation.tiers.l2).toEqual(fragmentation.kinds[2]);
  expect(fragmentation.temporal).toBeCloseTo((4 * 3072 + 3 * page) / usedBytes);
  expect(fragmentation.internal).toBeCloseTo(1024 / usedBytes);
});
