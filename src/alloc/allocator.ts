/** Makes and opens the allocator of a region. */

import { ownerCountersByte, ownerCountersBytes, ownersMaxLimit } from '../memory/layout.ts';
import type { Region, Segment } from '../memory/region.ts';
import { zero } from '../memory/words.ts';
import type { AllocatorOptions } from './api.ts';
import { segmentLayout } from './layout.ts';
import { formatSegment } from './pages.ts';
import { PoolAllocator } from './pool-allocator.ts';

export { PoolAllocator } from './pool-allocator.ts';

/**
 * Formats the segments of a new region and gives their allocator. What an earlier making left, that
 * was cut short, is gone.
 */
export function createAllocator(region: Region, options: AllocatorOptions = {}): PoolAllocator {
  const { bytes } = region.segments[0] as Segment;
  zero(bytes, ownerCountersByte, ownerCountersByte + ownersMaxLimit * ownerCountersBytes);
  for (const segment of region.segments) {
    formatSegment(segment, segmentLayout(segment.sizeBytes, region.slabShift));
  }
  return new PoolAllocator(region, options);
}

/**
 * The allocator of an existing region. Jumps from run to run and reads slab headers: no work per
 * block. After a crash `recover` must come before anything that changes the pool.
 * @throws pool_corrupt
 */
export function openAllocator(region: Region, options: AllocatorOptions = {}): PoolAllocator {
  return new PoolAllocator(region, options);
}
