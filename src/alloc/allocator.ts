/** Makes and opens the allocator of a region. */

import type { Region } from '../memory/region.ts';
import type { AllocatorOptions } from './api.ts';
import { segmentLayout } from './layout.ts';
import { formatSegment } from './pages.ts';
import { PoolAllocator } from './pool-allocator.ts';

export { PoolAllocator } from './pool-allocator.ts';

/** Formats the segments of a new region, all zero behind their headers, and gives their allocator. */
export function createAllocator(region: Region, options: AllocatorOptions = {}): PoolAllocator {
  for (const segment of region.segments) {
    formatSegment(segment, segmentLayout(segment.sizeBytes, region.slabShift));
  }
  return new PoolAllocator(region, options);
}

/**
 * The allocator of an existing region. Jumps from run to run and reads slab headers: no work per block. After a crash `recover` must
 * come before anything that changes the pool.
 * @throws pool_corrupt
 */
export function openAllocator(region: Region, options: AllocatorOptions = {}): PoolAllocator {
  return new PoolAllocator(region, options);
}
