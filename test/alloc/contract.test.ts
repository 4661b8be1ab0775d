/** What the store relies on: zeroing, marks, sizes, statistics, the memory map. */

import { describe, expect, test } from 'vitest';
import { createAllocator, openAllocator } from '../../src/alloc/allocator.ts';
import { mapCellsMax } from '../../src/alloc/memory-map.ts';
import { kindOf, kinds } from '../../src/alloc/kind.ts';
import { bytesOf } from './support/oracle.ts';
import { kib, mib, sharedRegion, SmallRegion } from './support/regions.ts';

const sizes = [1, 63, 64, 65, 500, 4_095, 4_096, 4_097, 100_000, mib, mib + 1];

describe('a live allocation', () => {
  test.each(sizes)('of %i bytes has its size, kind and alignment', (sizeBytes) => {
    const allocator = createAllocator(sharedRegion({ capacityBytes: 16 * mib }));
    const refs = kinds.map((_, kind) => allocator.allocate(kind, sizeBytes));
    for (const [kind, ref] of refs.entries()) {
      expect(allocator.isLive(ref)).toBe(true);
      expect(allocator.kindOf(ref)).toBe(kind);
      expect(allocator.sizeOf(ref)).toBeGreaterThanOrEqual(sizeBytes);
      expect(allocator.sizeOf(ref)).toBeLessThan(
        Math.max(sizeBytes * 1.125, sizeBytes + 64) + 4096,
      );
      if (sizeBytes > 4_096) expect(ref % 64).toBe(0);
      allocator.free(ref, kind);
      expect(allocator.isLive(ref)).toBe(false);
    }
    expect(allocator.check()).toEqual([]);
  });

  test.each(sizes)('of %i bytes can be kept and let go any number of times', (sizeBytes) => {
    const allocator = createAllocator(sharedRegion({ capacityBytes: 16 * mib }));
    const ref = allocator.allocate(2, sizeBytes);
    const isKept = (): boolean[] => {
      const kept: boolean[] = [];
      allocator.walk((block) => kept.push(block.kept));
      return kept;
    };
    for (const operation of ['keep', 'keep', 'unkeep', 'unkeep', 'keep'] as const) {
      allocator[operation](ref);
      expect(isKept()).toEqual([operation === 'keep']);
    }
    allocator.free(ref, 2);
    expect(isKept()).toEqual([]);
    expect(isKept()).toEqual([]);
    const again = allocator.allocate(2, sizeBytes);
    expect(again).toBe(ref);
    expect(isKept()).toEqual([false]);
  });
});

describe('memory of a kind that is zeroed when freed', () => {
  const zeroKinds = 1 << kindOf('attention');

  test.each(sizes)('holds nothing after free of %i bytes, and only that kind', (sizeBytes) => {
    const allocator = createAllocator(sharedRegion({ capacityBytes: 16 * mib }), { zeroKinds });
    for (const [kind, name] of kinds.entries()) {
      const neighbours = [
        allocator.allocate(kind, sizeBytes),
        0,
        allocator.allocate(kind, sizeBytes),
      ];
      const ref = allocator.allocate(kind, sizeBytes);
      const usable = allocator.sizeOf(ref);
      neighbours[1] = ref;
      for (const one of neighbours) bytesOf(allocator, one, usable).fill(0xab);
      allocator.free(ref, kind);
      const left = bytesOf(allocator, ref, usable).filter((byte) => byte !== 0).length;
      expect(left).toBe(name === 'attention' ? 0 : usable);
      for (const one of [neighbours[0] as number, neighbours[2] as number]) {
        expect(bytesOf(allocator, one, usable).every((byte) => byte === 0xab)).toBe(true);
      }
    }
    expect(allocator.check()).toEqual([]);
  });

  test('holds nothing after a crash either', () => {
    const region = new SmallRegion({ segmentBytes: [1024 * kib] });
    const allocator = createAllocator(region, { zeroKinds });
    const kind = kindOf('attention');
    const refs = [64, 3_000, 9_000].map((sizeBytes) => allocator.allocate(kind, sizeBytes));
    const blob = allocator.allocate(kindOf('blob'), 3_000);
    for (const ref of [...refs, blob]) bytesOf(allocator, ref, 64).fill(0xab);
    const next = openAllocator(region.reopened(), { zeroKinds });
    expect(next.recover().freedBlocks).toBe(4);
    for (const ref of refs) expect(bytesOf(next, ref, 64).every((byte) => byte === 0)).toBe(true);
    expect(bytesOf(next, blob, 64).every((byte) => byte === 0xab)).toBe(true);
  });
});

describe('marks and sweep', () => {
  test('free what is not marked and keep the rest', () => {
    const region = sharedRegion({ capacityBytes: 32 * mib, segmentBytes: 4 * mib });
    const allocator = createAllocator(region);
    const refs = Array.from({ length: 900 }, (_, index) => {
      const ref = allocator.allocate(index % 5, 10 + index * 40);
      if (index % 4 === 0) allocator.keep(ref);
      return ref;
    });
    expect(region.segments.length).toBeGreaterThan(1);
    const marks = allocator.newMarks();
    const reachable = refs.filter((_, index) => index % 3 === 0);
    for (const ref of reachable) {
      expect(marks.has(ref)).toBe(false);
      expect(marks.add(ref)).toBe(true);
      expect(marks.add(ref)).toBe(false);
      expect(marks.has(ref)).toBe(true);
    }
    const { liveBytes } = allocator.stats();
    const swept = allocator.sweep(marks);
    expect(swept.freedBlocks).toBe(refs.length - reachable.length);
    expect(swept.freedBytes).toBe(liveBytes - allocator.stats().liveBytes);
    expect(refs.filter((ref) => allocator.isLive(ref))).toEqual(reachable);
    expect(openAllocator(region).recover().freedBlocks).toBe(0);
  });
});

describe('walk', () => {
  test('visits every live allocation once, in order', () => {
    const allocator = createAllocator(
      sharedRegion({ capacityBytes: 16 * mib, segmentBytes: 4 * mib }),
    );
    const expected = [40, 4_000, 9_000, 2 * mib, 100, 3 * mib].map((sizeBytes, index) => {
      const ref = allocator.allocate(index % 5, sizeBytes);
      const tier = sizeBytes <= 4_096 ? 'l1' : sizeBytes <= mib ? 'l2' : 'l3';
      return {
        ref,
        kind: index % 5,
        tier,
        sizeBytes: allocator.sizeOf(ref),
        live: true,
        kept: false,
      };
    });
    const visited: unknown[] = [];
    allocator.walk((block) => visited.push(block));
    expect(visited).toEqual(expected.sort((a, b) => a.ref - b.ref));
  });
});

describe('statistics', () => {
  test('tell tiers and kinds apart', () => {
    const allocator = createAllocator(sharedRegion({ capacityBytes: 16 * mib }));
    allocator.allocate(1, 100);
    allocator.allocate(1, 100);
    allocator.allocate(2, 5_000);
    const gone = allocator.allocate(3, 2 * mib);
    allocator.allocate(3, 2 * mib);
    allocator.free(gone, 3);
    const {
      tiers,
      kinds: shares,
      allocations,
      frees,
      failures,
      usedBytes,
      liveBytes,
    } = allocator.stats();
    const slabBytes = 2 ** allocator.region.slabShift;
    expect(tiers).toEqual({
      l1: { runs: 1, liveBlocks: 2, liveBytes: 256, usedBytes: slabBytes },
      l2: { runs: 1, liveBlocks: 1, liveBytes: 8_192, usedBytes: 8_192 },
      l3: { runs: 1, liveBlocks: 1, liveBytes: 2 * mib, usedBytes: 2 * mib },
    });
    expect(shares[1]).toEqual({ usedBytes: slabBytes, liveBytes: 256, liveBlocks: 2 });
    expect(shares[4]).toEqual({ usedBytes: 0, liveBytes: 0, liveBlocks: 0 });
    expect([allocations, frees, failures]).toEqual([5, 1, 0]);
    expect(usedBytes).toBe(slabBytes + 8_192 + 2 * mib);
    expect(liveBytes).toBe(256 + 8_192 + 2 * mib);
  });

  test('count on above 2^32', () => {
    const region = sharedRegion({ capacityBytes: 4 * mib });
    const allocator = createAllocator(region);
    region.segments[0]?.words.set([-1, 7, -1, 7], 24_576 / 4);
    allocator.free(allocator.allocate(0, 64), 0);
    expect(allocator.stats().allocations).toBe(8 * 2 ** 32);
    expect(allocator.stats().frees).toBe(8 * 2 ** 32);
    expect(allocator.check()).toEqual([]);
  });
});

describe('the memory map', () => {
  const make = (): ReturnType<typeof createAllocator> =>
    createAllocator(sharedRegion({ capacityBytes: 8 * mib, segmentBytes: 4 * mib }));

  test.each([1, 2, 7, 64, 1_000, 5_000, mapCellsMax])('in %i cells adds up', (cells) => {
    const allocator = make();
    for (let index = 0; index < 200; index++) allocator.allocate(index % 5, 50 + index * 200);
    const { reservedBytes, liveBytes, metadataBytes } = allocator.stats();
    const map = allocator.memoryMap(cells);
    expect(map.length).toBe(cells);
    const filled = map.reduce((sum, { fill }) => sum + fill, 0) * (reservedBytes / cells);
    expect(filled).toBeCloseTo(liveBytes + metadataBytes, -1);
    for (const { kind, fill } of map) {
      expect(kind).toBeGreaterThanOrEqual(-2);
      expect(kind).toBeLessThan(kinds.length);
      expect(fill >= 0 && fill <= 1).toBe(true);
    }
  });

  test('shows metadata, then what is in use, then what is free', () => {
    const allocator = make();
    allocator.allocate(0, mib - 2 ** 17);
    const map = allocator.memoryMap(4 * 16);
    const firsts = map.map(({ kind }) => kind);
    expect(firsts[0]).toBe(-2);
    expect(firsts.slice(2, 15)).toEqual(Array(13).fill(0));
    expect(firsts.slice(16)).toEqual(Array(48).fill(-1));
  });
});

test('an allocator is made anew, whatever was there', () => {
  const region = new SmallRegion({ segmentBytes: [2048 * kib] });
  const first = createAllocator(region);
  for (let index = 0; index < 100; index++)
    first.keep(first.allocate(index % 5, 30 + (index % 10) * 300));
  const second = createAllocator(region);
  expect(second.stats()).toMatchObject({ usedBytes: 0, allocations: 0, frees: 0 });
  expect(second.check()).toEqual([]);
  expect(second.allocate(0, second.maxAllocationBytes)).toBeGreaterThan(0);
});
