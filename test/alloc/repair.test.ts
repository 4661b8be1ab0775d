/** What cannot be followed is refused, what can be is repaired. */

import { describe, expect, test } from 'vitest';
import { type PoolAllocator } from '../../src/alloc/allocator.ts';
import {
  binCount,
  binsInUseWord,
  binsWord,
  headRemote,
  lengthOf,
  packHead,
  packSlab,
  stateFree,
  stateRun,
} from '../../src/alloc/layout.ts';
import { hasCode } from '../../src/errors.ts';
import { setBits, subject } from './support/subject.ts';

describe('a page table that cannot be followed', () => {
  const broken = (): PoolAllocator => {
    const made = subject();
    made.view.table.setHead(made.run, 0);
    return made.allocator;
  };

  const refuses = (operation: (allocator: PoolAllocator) => unknown): void => {
    let thrown: unknown;
    try {
      operation(broken());
    } catch (error) {
      thrown = error;
    }
    expect(hasCode(thrown, 'pool_corrupt'), String(thrown)).toBe(true);
  };

  test('is refused by recovery', () => refuses((allocator) => allocator.recover()));
  test('is refused by walk', () => refuses((allocator) => allocator.walk(() => undefined)));
  test('still has a memory map', () => {
    expect(broken().memoryMap(10).length).toBe(10);
  });
});

describe('recovery repairs what a crash cannot leave but memory may', () => {
  test('a header over no slab', () => {
    const { allocator, view, rest } = subject();
    view.headers[((rest >> 2) + 2) * 16] = packSlab(0, 0);
    allocator.recover();
    expect(allocator.check()).toEqual([]);
  });

  test('bits left over in a window that becomes a slab', () => {
    const { allocator, view, rest } = subject();
    const first = ((rest + 3) >> 2) * 32;
    const end = ((rest + lengthOf(view.table.head(rest))) >> 2) * 32;
    view.bits.fill(-1, first, end);
    for (let count = 0; count < 200; count++) allocator.allocate(4, 3_000);
    expect(allocator.check()).toEqual([]);
  });

  test('what was freed remotely or given back', () => {
    const { allocator, view, run, kept } = subject();
    const second = run - 3; // data is placed from the high end down
    const word = (kept >> 5) * 4 + 3;
    setBits(view.bits, word, 1 << (kept & 31));
    view.table.setHead(second, packHead(stateRun, 2, headRemote, 3));
    allocator.recover();
    expect(view.bits[word]).toBe(0);
    expect([allocator.isLive(kept), allocator.isLive(second << 6)]).toEqual([false, false]);
    expect(allocator.check()).toEqual([]);
  });

  test('a run that is not live', () => {
    const { allocator, view, run } = subject();
    view.table.setHead(run, packHead(stateRun, 2, 0, 3));
    expect(allocator.isLive(run << 6)).toBe(false);
    allocator.recover();
    expect(allocator.check()).toEqual([]);
    expect(allocator.isLive(run << 6)).toBe(false);
  });
});

describe('an index that leads out of its segment', () => {
  test.each([100, 5_000, 70_000])('is not followed for %d bytes', (sizeBytes) => {
    const { allocator, view } = subject();
    const page = view.layout.pages + 512;
    view.words[view.layout.pageTableWord + 2 * page] = packHead(stateFree, 0, 0, 4096);
    view.words.fill(-1, binsInUseWord, binsWord);
    view.words.fill(page, binsWord, binsWord + binCount);
    const work = (): unknown => allocator.allocate(3, sizeBytes);
    expect(work).toThrow(expect.objectContaining({ code: 'pool_corrupt' }));
  });
});
