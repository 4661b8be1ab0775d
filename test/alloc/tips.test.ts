/** What an owner makes of tips: which slabs others have just been through. */

import { expect, test } from 'vitest';
import { createAllocator, openAllocator, type PoolAllocator } from '../../src/alloc/allocator.ts';
import { granuleShift, type Ref } from '../../src/memory/region.ts';
import { attachSharedRegion } from '../../src/memory/shared.ts';
import { mib, sharedRegion } from './support/regions.ts';

const kind = 4;
const sizeBytes = 64;

interface Two {
  readonly one: PoolAllocator;
  readonly other: PoolAllocator;
  readonly slabOf: (ref: Ref) => number;
}

function twoOwners(capacityBytes: number, segmentBytes: number): Two {
  const region = sharedRegion({ capacityBytes, segmentBytes });
  const one = createAllocator(region);
  const other = openAllocator(attachSharedRegion(region.handle));
  return { one, other, slabOf: (ref) => ref >> (region.slabShift - granuleShift) };
}

/** Allocates until `count` slabs are full. @returns their blocks, slab by slab, in the order in which they became full */
function fillSlabs({ one, slabOf }: Two, count: number): Ref[][] {
  const blocks = new Map<number, Ref[]>();
  for (;;) {
    const ref = one.allocate(kind, sizeBytes);
    const slab = slabOf(ref);
    const known = blocks.get(slab);
    if (known !== undefined) known.push(ref);
    else if (blocks.size === count) return [...blocks.values()];
    else blocks.set(slab, [ref]);
  }
}

function freeAll(allocator: PoolAllocator, refs: readonly Ref[]): void {
  for (const ref of refs) allocator.free(ref, kind);
}

/** The slabs of `among` that blocks come from next, in that order. */
function nextSlabs({ one, slabOf }: Two, count: number, among: readonly Ref[][]): number[] {
  const slabs = new Set(among.map(([ref]) => slabOf(ref as Ref)));
  const seen = new Set<number>();
  for (let found = 0; found < count;) {
    const slab = slabOf(one.allocate(kind, sizeBytes));
    if (!slabs.has(slab)) continue;
    seen.add(slab);
    found++;
  }
  return among.map(([ref]) => [...seen].indexOf(slabOf(ref as Ref)));
}

test('a slab that another has just been through is taken before the one that waits longest', () => {
  const two = twoOwners(64 * mib, 64 * mib);
  const [first, second, third, fourth] = fillSlabs(two, 4) as [Ref[], Ref[], Ref[], Ref[]];
  freeAll(two.other, third);
  freeAll(two.other, first);
  freeAll(two.other, fourth.slice(0, 1)); // it has left the two others
  const count = first.length + third.length + 1;
  expect(nextSlabs(two, count, [first, second, third, fourth])).toEqual([1, -1, 0, 2]);
  expect(two.one.check()).toEqual([]);
});

test('a slab of which another has freed a block or two waits for its turn', () => {
  const two = twoOwners(64 * mib, 64 * mib);
  const [first, second, third] = fillSlabs(two, 3) as [Ref[], Ref[], Ref[]];
  freeAll(two.other, second.slice(0, 2));
  freeAll(two.other, first.slice(0, 100));
  freeAll(two.other, third.slice(0, 1));
  expect(nextSlabs(two, 103, [first, second, third])).toEqual([0, 1, 2]);
});

test('slabs of blocks of two lengths are told of though they are freed by turns', () => {
  const two = twoOwners(64 * mib, 64 * mib);
  const { one, other } = two;
  const [first, second, third] = fillSlabs(two, 3) as [Ref[], Ref[], Ref[]];
  const longer = second.map(() => one.allocate(kind, 2 * sizeBytes));
  freeAll(other, first.slice(0, 1));
  for (const [index, ref] of second.entries()) freeAll(other, [ref, longer[index] as Ref]);
  freeAll(other, third.slice(0, 1));
  expect(nextSlabs(two, second.length + 2, [first, second, third])).toEqual([1, 0, 2]);
});

test('a slab that holds blocks of another length by now is not taken for what it was', () => {
  const two = twoOwners(64 * mib, 64 * mib);
  const { one, other, slabOf } = two;
  const [, gone, last] = fillSlabs(two, 3) as [Ref[], Ref[], Ref[]];
  freeAll(other, gone);
  freeAll(other, last.slice(0, 1));
  one.flush();
  const slab = slabOf(gone[0] as Ref);
  const longer: Ref[] = [];
  while (longer.filter((ref) => slabOf(ref) === slab).length < gone.length / 2) {
    longer.push(one.allocate(kind, 2 * sizeBytes));
  }
  freeAll(other, [longer.find((ref) => slabOf(ref) === slab) as Ref]);
  for (let i = 0; i < 2 * gone.length; i++) {
    expect(slabOf(one.allocate(kind, sizeBytes))).not.toBe(slab);
  }
  expect(one.check()).toEqual([]);
});

test('a slab in a segment that has gone is not looked for', () => {
  const { one, other } = twoOwners(8 * mib, 4 * mib);
  const refs = Array.from({ length: 80_000 }, () => one.allocate(kind, sizeBytes));
  expect(one.region.segments).toHaveLength(2);
  freeAll(other, refs);
  one.flush();
  other.flush();
  expect(one.dropEmptySegments()).toBe(1);
  for (let i = 0; i < 3000; i++) one.allocate(kind, sizeBytes);
  expect(one.check()).toEqual([]);
});
