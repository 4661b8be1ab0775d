/** Every misuse gets its code and changes nothing. */

import { describe, expect, test } from 'vitest';
import { createAllocator, openAllocator, type PoolAllocator } from '../../src/alloc/allocator.ts';
import { hasCode, type ErrorCode } from '../../src/errors.ts';
import { attachSharedRegion } from '../../src/memory/shared.ts';
import type { Segment } from '../../src/memory/region.ts';
import { kib, mib, sharedRegion, SmallRegion } from './support/regions.ts';

/** 4 MiB in slabs of 16 KiB: granules 0…65535. */
interface Subject {
  readonly allocator: PoolAllocator;
  readonly small: number; // 192 B of kind 1
  readonly run: number; // 5 pages of kind 2
  readonly extent: number; // 300 pages of kind 3
  readonly freedSmall: number;
  readonly freedRun: number;
}

function subject(): Subject {
  const allocator = createAllocator(sharedRegion({ capacityBytes: 4 * mib }));
  const small = allocator.allocate(1, 150);
  const freedSmall = allocator.allocate(1, 150);
  const run = allocator.allocate(2, 5 * 4096);
  const freedRun = allocator.allocate(2, 16 * 4096);
  const extent = allocator.allocate(3, 300 * 4096);
  allocator.free(freedSmall, 1);
  allocator.free(freedRun, 2);
  allocator.keep(small);
  return { allocator, small, run, extent, freedSmall, freedRun };
}

/** All that a mistake could change, but for the counters of a slab's unused bytes. */
function fingerprint(allocator: PoolAllocator): string {
  const { words } = allocator.region.segments[0] as Segment;
  let sum = 0;
  for (const word of words.subarray(0, 40_000)) sum = (Math.imul(sum, 31) + word) | 0;
  const blocks: unknown[] = [];
  allocator.walk((block) => blocks.push(block));
  return JSON.stringify([sum, blocks, allocator.stats()]);
}

function expectRefused(allocator: PoolAllocator, code: ErrorCode, misuse: () => unknown): void {
  const before = fingerprint(allocator);
  let thrown: unknown;
  try {
    misuse();
  } catch (error) {
    thrown = error;
  }
  expect(hasCode(thrown, code), String(thrown)).toBe(true);
  expect(fingerprint(allocator)).toBe(before);
  expect(allocator.check()).toEqual([]);
}

type Case = [what: string, code: ErrorCode, ref: (subject: Subject) => number, kind: number];

const frees: Case[] = [
  ['a small block twice', 'double_free', ({ freedSmall }) => freedSmall, 1],
  ['a small block twice, with another kind', 'double_free', ({ freedSmall }) => freedSmall, 4],
  ['a run twice', 'double_free', ({ freedRun }) => freedRun, 2],
  ['the middle of a small block', 'foreign_reference', ({ small }) => small + 1, 1],
  ['the last granule of a small block', 'foreign_reference', ({ small }) => small + 2, 1],
  ['the middle of a page of a run', 'foreign_reference', ({ run }) => run + 1, 2],
  ['the second page of a run', 'foreign_reference', ({ run }) => run + 64, 2],
  ['the second page of an extent', 'foreign_reference', ({ extent }) => extent + 64, 3],
  ['granule 0', 'foreign_reference', () => 0, 0],
  ['a granule of the page table', 'foreign_reference', () => 700, 0],
  ['the first page of metadata behind the prefix', 'foreign_reference', () => 640, 0],
  ['the last granule', 'foreign_reference', () => 65_535, 0],
  ['a granule behind the segment', 'foreign_reference', () => 65_536, 0],
  ['the largest reference', 'foreign_reference', () => 2 ** 31 - 1, 0],
  ['a negative reference', 'foreign_reference', () => -1, 0],
  ['the lowest number', 'foreign_reference', () => -(2 ** 31), 0],
  ['a reference above 31 bits', 'foreign_reference', ({ small }) => small + 2 ** 32, 1],
  ['a fraction', 'foreign_reference', ({ small }) => small + 0.5, 1],
  ['not a number', 'foreign_reference', () => Number.NaN, 1],
  ['infinity', 'foreign_reference', () => Infinity, 1],
  ['a small block as another kind', 'wrong_kind', ({ small }) => small, 2],
  ['a small block as kind + 8', 'wrong_kind', ({ small }) => small, 9],
  ['a small block as kind + 16', 'wrong_kind', ({ small }) => small, 17],
  ['a small block as kind + 2^27', 'wrong_kind', ({ small }) => small, 1 + 2 ** 27],
  ['a small block as half a kind more', 'wrong_kind', ({ small }) => small, 1.5],
  ['a small block as no kind', 'wrong_kind', ({ small }) => small, Number.NaN],
  ['a small block as a negative kind', 'wrong_kind', ({ small }) => small, -7],
  ['a run as another kind', 'wrong_kind', ({ run }) => run, 3],
  ['an extent as another kind', 'wrong_kind', ({ extent }) => extent, 0],
];

describe.each([0, 0b11111])('with zeroKinds %i', (zeroKinds) => {
  test.each(frees)('free of %s is %s', (_what, code, ref, kind) => {
    const made = subject();
    made.allocator.leave();
    const allocator = openAllocator(made.allocator.region, { zeroKinds });
    expectRefused(allocator, code, () => allocator.free(ref(made), kind));
  });
});

const strangers: [string, (subject: Subject) => number][] = [
  ['a freed block', ({ freedSmall }) => freedSmall],
  ['a freed run', ({ freedRun }) => freedRun],
  ['the middle of a block', ({ small }) => small + 1],
  ['the middle of a run', ({ run }) => run + 64],
  ['granule 0', () => 0],
  ['a negative reference', () => -5],
  ['a reference behind the region', () => 1_000_000],
  ['a fraction', ({ run }) => run + 0.25],
  ['not a number', () => Number.NaN],
];

describe.each(strangers)('%s', (_what, ref) => {
  test('is not live', () => {
    const made = subject();
    expect(made.allocator.isLive(ref(made))).toBe(false);
  });

  test.each(['keep', 'unkeep', 'sizeOf', 'kindOf'] as const)('%s refuses it', (operation) => {
    const made = subject();
    const { allocator } = made;
    expectRefused(allocator, 'foreign_reference', () => allocator[operation](ref(made)));
  });

  test('a set of marks does not have it', () => {
    const made = subject();
    expect(made.allocator.newMarks().has(ref(made))).toBe(false);
  });
});

const requests: [kind: number, sizeBytes: number, code: ErrorCode][] = [
  [0, 0, 'invalid_argument'],
  [0, -1, 'invalid_argument'],
  [0, -64, 'invalid_argument'],
  [0, 0.5, 'invalid_argument'],
  [0, 100.5, 'invalid_argument'],
  [0, 5000.5, 'invalid_argument'],
  [0, Number.NaN, 'invalid_argument'],
  [0, Infinity, 'invalid_argument'],
  [0, 4 * mib, 'value_too_large'],
  [0, 2 ** 31, 'value_too_large'],
  [0, 2 ** 32 + 1, 'value_too_large'],
  [0, 2 ** 53, 'value_too_large'],
  [-1, 64, 'invalid_argument'],
  [5, 64, 'invalid_argument'],
  [7, 4096, 'invalid_argument'],
  [8, 64, 'invalid_argument'],
  [1.5, 64, 'invalid_argument'],
  [Number.NaN, 64, 'invalid_argument'],
  [2 ** 31, 64, 'invalid_argument'],
  [5, 100_000, 'invalid_argument'],
];

test.each(requests)('allocate of kind %d, %d bytes is %s', (kind, sizeBytes, code) => {
  const { allocator } = subject();
  expectRefused(allocator, code, () => allocator.allocate(kind, sizeBytes));
});

test.each([Number.NaN, -1])('a limit of %d is refused', (limitBytes) => {
  const { allocator } = subject();
  expectRefused(allocator, 'invalid_argument', () => allocator.setLimitBytes(limitBytes));
});

test.each([0, 1.5, Number.NaN, 65_537])('a memory map of %d cells is refused', (cells) => {
  const { allocator } = subject();
  expectRefused(allocator, 'invalid_argument', () => allocator.memoryMap(cells));
});

test('marks outside the region are refused', () => {
  const { allocator } = subject();
  expectRefused(allocator, 'foreign_reference', () => allocator.newMarks().add(-3));
  expectRefused(allocator, 'foreign_reference', () => allocator.newMarks().add(65_536));
});

test('the largest request that there could ever be is served', () => {
  const allocator = createAllocator(sharedRegion({ capacityBytes: 4 * mib }));
  expect(allocator.allocate(0, allocator.maxAllocationBytes)).toBeGreaterThan(0);
  expect(allocator.check()).toEqual([]);
});

test('a run that has merged with its neighbours since is still freed twice', () => {
  const { allocator } = subject();
  const refs = Array.from({ length: 4 }, () => allocator.allocate(2, 10_000));
  for (const ref of refs) allocator.free(ref, 2);
  for (const ref of refs) expectRefused(allocator, 'double_free', () => allocator.free(ref, 2));
});

describe('behind the end of a segment that is smaller than its stride', () => {
  test.each([16_384, 16_448, 20_000, 65_472, 65_535])('granule %i is foreign', (ref) => {
    const region = new SmallRegion({ segmentBytes: [1024 * kib] });
    const allocator = createAllocator(region);
    for (let index = 0; index < 40; index++) allocator.allocate(index % 5, 100 + index * 100);
    const { words } = region.segments[0] as Segment;
    expect(words.length * 4).toBe(16_384 * 64);
    for (const misuse of [
      () => allocator.free(ref, 0),
      () => allocator.keep(ref),
      () => allocator.sizeOf(ref),
      () => allocator.kindOf(ref),
      () => allocator.newMarks().add(ref),
    ]) {
      expectRefused(allocator, 'foreign_reference', misuse);
    }
    expect(allocator.isLive(ref)).toBe(false);
  });
});

test('nothing behind the end of a small segment is taken for a page descriptor', () => {
  const region = new SmallRegion({ segmentBytes: [1024 * kib] });
  const allocator = createAllocator(region);
  // Slab headers stand behind the page table, and some of them read as live runs would.
  for (let index = 0; index < 60; index++) allocator.allocate(2 + (index % 2), 250 + index * 64);
  for (let ref = 16_384; ref < 65_536; ref += 64) expect(allocator.isLive(ref)).toBe(false);
});

describe('an onlooker', () => {
  const changes: [string, (allocator: PoolAllocator, made: Subject) => unknown][] = [
    ['allocate a block', (allocator) => allocator.allocate(0, 64)],
    ['allocate a run', (allocator) => allocator.allocate(0, 10_000)],
    ['free a block', (allocator, { small }) => allocator.free(small, 1)],
    ['free a run', (allocator, { run }) => allocator.free(run, 2)],
    ['keep', (allocator, { run }) => allocator.keep(run)],
    ['unkeep', (allocator, { small }) => allocator.unkeep(small)],
    ['flush', (allocator) => allocator.flush()],
    ['recover', (allocator) => allocator.recover()],
    ['sweep', (allocator) => allocator.sweep(allocator.newMarks())],
    ['drop segments', (allocator) => allocator.dropEmptySegments()],
  ];

  test('may recover its private copy', () => {
    const region = new SmallRegion({ segmentBytes: [1024 * kib] });
    const writer = createAllocator(region);
    writer.keep(writer.allocate(1, 100));
    writer.allocate(2, 10_000);
    const inspector = openAllocator(region.inspected());
    expect(inspector.recover()).toEqual({ freedBlocks: 1, freedBytes: 12_288 });
    expect(inspector.check()).toEqual([]);
  });

  test.each(changes)('cannot %s', (what, change) => {
    const region = new SmallRegion({ segmentBytes: [1024 * kib] });
    const writer = createAllocator(region);
    const made = { small: writer.allocate(1, 100), run: writer.allocate(2, 10_000) };
    const inspector = openAllocator(region.inspected());
    // Recovery is allowed: it repairs a private copy.
    if (what !== 'recover') {
      expectRefused(inspector, 'read_only', () => change(inspector, made as Subject));
    }
    expect(inspector.stats()).toEqual(writer.stats());
  });

  test('and any other owner sees what the first sees, also in segments added since', () => {
    const region = sharedRegion({ capacityBytes: 32 * mib, segmentBytes: 4 * mib });
    const writer = createAllocator(region);
    const joined = attachSharedRegion(region.handle);
    const reader = openAllocator(joined);
    for (let index = 0; index < 300; index++) {
      const ref = writer.allocate(index % 5, 20 + index * 150);
      if (index % 3 === 0) writer.free(ref, index % 5);
    }
    expect(region.segments.length).toBeGreaterThan(1);
    expect(reader.stats()).toEqual(writer.stats());
    expect(reader.check()).toEqual([]);
    expect(reader.memoryMap(77)).toEqual(writer.memoryMap(77));
    expect(reader.maxAllocationBytes).toBe(writer.maxAllocationBytes);
    writer.walk(({ ref, kind, sizeBytes }) => {
      expect([reader.isLive(ref), reader.kindOf(ref), reader.sizeOf(ref)]).toEqual([
        true,
        kind,
        sizeBytes,
      ]);
    });
  });
});
