/** Changing the bound of a pool in use, and giving back what it does not use. */

import { fail } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { sweepRetired } from '../store/remove.ts';

/**
 * Raises the bound, or lowers it and evicts until what is handed out fits. Segments that are empty then are given back.
 * @throws pool_full when what is pinned or leased does not fit; the bound stays, but parts may have been evicted
 */
export function resize(store: Store, capacityBytes: number): void {
  const { allocator, region } = store;
  const previousBytes = region.superblock.capacityBytes;
  if (capacityBytes < previousBytes && !shrinkTo(store, capacityBytes)) {
    const { usedBytes, metadataBytes } = allocator.stats();
    fail(
      'pool_full',
      `Pinned and leased parts and tables hold ${usedBytes + metadataBytes} bytes, more than ${capacityBytes}.`,
    );
  }
  region.commit({ capacityBytes });
  if (allocator.dropEmptySegments() > 0) store.follower.announce();
  allocator.setLimitBytes(limitFor(store, capacityBytes));
}

/**
 * Gives the memory of empty segments and of free runs back to the system.
 * @returns bytes that came free
 * @throws io_failed
 */
export function trim(store: Store): number {
  const { allocator, region } = store;
  sweepRetired(store);
  allocator.flush();
  let bytes = allocator.giveBack();
  const beforeBytes = presentBytes(store);
  if (allocator.dropEmptySegments() > 0) {
    store.follower.announce();
    // Buffers of shared memory stay in every handle.
    if (region.type === 'mapped') bytes += beforeBytes - presentBytes(store);
  }
  return bytes;
}

function presentBytes(store: Store): number {
  const { reservedBytes, givenBackBytes } = store.allocator.stats();
  return reservedBytes - givenBackBytes;
}

/** Data bytes that may be handed out under a bound. */
export function limitFor(store: Store, capacityBytes: number): number {
  const { metadataBytes } = store.allocator.stats();
  return Math.max(0, capacityBytes - metadataBytes);
}

function shrinkTo(store: Store, capacityBytes: number): boolean {
  sweepRetired(store);
  const limitBytes = limitFor(store, capacityBytes);
  store.allocator.flush();
  while (store.allocator.usedBytes > limitBytes) {
    let progress = false;
    for (let i = 0; i < evictionsPerLook; i++) progress = store.evictor.evictOne() || progress;
    store.allocator.flush();
    if (!progress) return store.allocator.usedBytes <= limitBytes;
  }
  return true;
}

/** Parts evicted between two looks at what is in use. */
const evictionsPerLook = 16;
