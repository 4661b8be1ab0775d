/** What damage is done to. */

import { createAllocator, type PoolAllocator } from '../../../src/alloc/allocator.ts';
import { stateFree } from '../../../src/alloc/layout.ts';
import type { SegmentView } from '../../../src/alloc/segment-view.ts';
import { viewSegment } from '../../../src/alloc/segment-view.ts';
import type { Segment } from '../../../src/memory/region.ts';
import { kib, SmallRegion } from './regions.ts';

export interface Subject {
  readonly allocator: PoolAllocator;
  readonly view: SegmentView;
  /**
   * First pages of: a slab of class 1 (128 B) and kind 1, runs of 3 pages of kind 2, an extent, the
   * free rest.
   */
  readonly slab: number;
  readonly run: number;
  readonly extent: number;
  readonly rest: number;
  /** A kept block of the slab, and one that waits in a stack. */
  readonly kept: number;
  readonly claimed: number;
  /** Word of the slab's header, and its first word of free bits, where all blocks are free. */
  readonly header: number;
  readonly free: number;
}

/** Kind 1, class 1. */
export const stackOfSlab = 33;

export function setBits(words: Int32Array, word: number, bits: number): void {
  words[word] = (words[word] as number) | bits;
}

/** An allocator with one of each: a slab with a kept, a claimed and free blocks, two runs, an extent, a free rest. */
export function subject(): Subject {
  const region = new SmallRegion({ segmentBytes: [2048 * kib] });
  const allocator = createAllocator(region);
  const kept = allocator.allocate(1, 100);
  allocator.allocate(1, 100);
  allocator.keep(kept);
  const run = allocator.allocate(2, 3 * 4096) >> 6;
  allocator.keep(allocator.allocate(2, 3 * 4096));
  const extent = allocator.allocate(3, 260 * 4096) >> 6;
  const view = viewSegment(region.segments[0] as Segment, region.slabShift);
  let rest = 0;
  view.table.walk((page, head) => {
    if ((head & 7) === stateFree && page > rest) rest = page;
  });
  const { stacks } = allocator.slabs;
  const claimed = stacks.cells[stacks.bottom(stackOfSlab) + 1] as number;
  const window = kept >> 8;
  const made = { allocator, view, run, extent, rest, kept, claimed };
  // Slabs of 16 KiB: 8 words of each bitmap, four bitmaps side by side.
  return { ...made, slab: window * 4, header: window * 16, free: window * 32 + 2 };
}
