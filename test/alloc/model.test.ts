/** Random operations against a naive oracle, over several geometries. */

import { describe, expect, test } from 'vitest';
import { createAllocator, openAllocator } from '../../src/alloc/allocator.ts';
import { kinds } from '../../src/alloc/kind.ts';
import type { Region } from '../../src/memory/region.ts';
import { rounds, seed } from '../support/seed.ts';
import { Oracle } from './support/oracle.ts';
import { Random } from './support/random.ts';
import { kib, mib, sharedRegion, SmallRegion } from './support/regions.ts';

const batch = 2_000;

interface Geometry {
  readonly name: string;
  readonly make: () => Region;
  /** Sizes are drawn up to this share of a segment. */
  readonly largestShare: number;
}

const geometries: Geometry[] = [
  {
    name: '4 MiB in slabs of 16 KiB',
    make: () => sharedRegion({ capacityBytes: 4 * mib }),
    largestShare: 0.1,
  },
  {
    name: 'three segments of 8 MiB in slabs of 32 KiB',
    make: () => sharedRegion({ capacityBytes: 24 * mib, segmentBytes: 8 * mib }),
    largestShare: 0.3,
  },
  {
    name: '64 MiB in slabs of 64 KiB',
    make: () => sharedRegion({ capacityBytes: 64 * mib }),
    largestShare: 0.1,
  },
  {
    name: 'segments of unequal size',
    make: () => new SmallRegion({ segmentBytes: [1024 * kib, 256 * kib, 2048 * kib, 304 * kib] }),
    largestShare: 0.2,
  },
];

/** Below `target` held blocks allocations prevail, above it frees do. */
function step(oracle: Oracle, random: Random, target: number, mostBytes: number): void {
  const { held } = oracle;
  const grow = held.length === 0 || random.below(100) < (held.length < target ? 65 : 35);
  if (grow) oracle.allocate(random.below(kinds.length), random.sizeBytes(mostBytes));
  else if (random.below(10) === 0) oracle.keep(random.below(held.length));
  else oracle.free(random.below(held.length));
}

describe.each(geometries)('$name', ({ make, largestShare }) => {
  test('random operations agree with the oracle', () => {
    const random = new Random(seed());
    const region = make();
    const allocator = createAllocator(region);
    const oracle = new Oracle(allocator);
    const empty = allocator.stats();
    const mostBytes = Math.floor(allocator.maxAllocationBytes * largestShare);
    for (let round = 0; round < rounds(12, 100); round++) {
      const target = 50 + random.below(3_000);
      for (let operation = 0; operation < batch; operation++) {
        step(oracle, random, target, mostBytes);
      }
      oracle.verify();
    }
    oracle.freeAll();
    allocator.flush();
    oracle.verify();
    allocator.dropEmptySegments();
    const { allocations, frees, failures } = allocator.stats();
    expect(allocations).toBe(frees);
    expect({ ...allocator.stats(), allocations: 0, frees: 0, failures: 0 }).toEqual(empty);
    expect(failures).toBeGreaterThanOrEqual(0);
  });

  test('an orderly close and opening changes nothing', () => {
    const random = new Random(seed() + 1);
    const region = make();
    const oracle = new Oracle(createAllocator(region));
    const mostBytes = Math.floor(oracle.allocator.maxAllocationBytes * largestShare);
    for (let round = 0; round < rounds(8, 50); round++) {
      for (let operation = 0; operation < batch; operation++) step(oracle, random, 800, mostBytes);
      oracle.allocator.leave();
      const before = oracle.allocator.stats();
      oracle.allocator = openAllocator(region);
      expect(oracle.allocator.stats()).toEqual(before);
      oracle.verify();
    }
  });

  test('a crash between operations frees what was not kept and nothing else', () => {
    const random = new Random(seed() + 2);
    const region = make();
    const oracle = new Oracle(createAllocator(region));
    const mostBytes = Math.floor(oracle.allocator.maxAllocationBytes * largestShare);
    for (let round = 0; round < rounds(8, 50); round++) {
      for (let operation = 0; operation < batch; operation++) step(oracle, random, 800, mostBytes);
      const lost = oracle.held.filter(({ kept }) => !kept);
      oracle.allocator = openAllocator(region);
      const { freedBlocks, freedBytes } = oracle.allocator.recover();
      expect(freedBlocks).toBe(lost.length);
      expect(freedBytes).toBe(lost.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
      oracle.held = oracle.held.filter(({ kept }) => kept);
      oracle.verify();
    }
  });
});

describe('slabs that come and go', () => {
  test.each([
    [14, [4_096]],
    [14, [64, 1_000]],
    [15, [2_048, 3_000]],
    [16, [512, 4_000]],
  ])('of 2^%i bytes with blocks of %j', (slabShift, sizes) => {
    const random = new Random(seed() + slabShift);
    const region = new SmallRegion({ segmentBytes: [2048 * kib, 4096 * kib], slabShift });
    const oracle = new Oracle(createAllocator(region));
    const empty = oracle.allocator.stats();
    for (let round = 0; round < rounds(40, 400); round++) {
      const target = random.below(2) * random.below(800);
      while (oracle.held.length !== target) {
        const grow = random.below(100) < (oracle.held.length < target ? 70 : 30);
        if (grow || oracle.held.length === 0) oracle.allocate(2, random.pick(sizes));
        else oracle.free(random.below(oracle.held.length));
      }
      if (random.below(4) === 0) oracle.allocator.flush();
      oracle.verify();
    }
    oracle.freeAll();
    oracle.allocator.dropEmptySegments();
    oracle.verify();
    expect(oracle.allocator.stats().largestFreeRunBytes).toBe(empty.largestFreeRunBytes);
  });

  test('are filled up again after an opening before new ones are made', () => {
    const region = sharedRegion({ capacityBytes: 4 * mib });
    const writer = createAllocator(region);
    for (let count = 0; count < 100; count++) writer.keep(writer.allocate(1, 512));
    writer.leave();
    const { usedBytes } = writer.stats();
    const next = openAllocator(region);
    const left = (usedBytes - next.stats().liveBytes) / 512;
    expect(left).toBeGreaterThan(0);
    for (let count = 0; count < left; count++) next.allocate(1, 512);
    expect(next.stats().usedBytes).toBe(usedBytes);
    next.allocate(1, 512);
    expect(next.stats().usedBytes).toBeGreaterThan(usedBytes);
  });
});
