/** Makes and opens the allocator of a region. */

import { ownerCountersByte, ownerCountersBytes, ownersMaxLimit } from '../memory/layout.ts';
import type { Region, Segment } from '../memory/region.ts';
import { poke, zero } from '../memory/words.ts';
import type { AllocatorOptions } from './api.ts';
import { formatSegment } from './format.ts';
import { allocControl } from './layout.ts';
import { PoolAllocator } from './pool-allocator.ts';

export { PoolAllocator } from './pool-allocator.ts';

/**
 * Formats the segments of a new region and gives their allocator. What an earlier making left, that
 * was cut short, is gone.
 */
export function createAllocator(region: Region, options: AllocatorOptions = {}): PoolAllocator {
  const { bytes, words } = region.segments[0] as Segment;
  zero(bytes, ownerCountersByte, ownerCountersByte + ownersMaxLimit * ownerCountersBytes);
  for (let word = allocControl.pressure; word < allocControl.orphans + 16; word++) {
    poke(words, word, 0);
  }
  for (const segment of region.segments) formatSegment(segment, region.slabShift);
  return new PoolAllocator(region, options);
}

/**
 * The allocator of an existing region, for this thread as an owner of it: no walk, no work per
 * segment. After a crash of the owner who had this slot, `recover` or `clearOwner` must come before
 * anything that changes the pool; where the slot was found abandoned, that is done here.
 * @throws pool_corrupt; pool_busy
 */
export function openAllocator(region: Region, options: AllocatorOptions = {}): PoolAllocator {
  const allocator = new PoolAllocator(region, options);
  if (region.slotAbandoned && region.ownerSlot > 0) allocator.clearOwner(region.ownerSlot);
  return allocator;
}
