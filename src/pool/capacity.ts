/** Changing the bound of a pool in use, and giving back what it does not use. */

import { fail } from '../errors.ts';
import { roundCapacity } from '../memory/geometry.ts';
import { withPen } from '../store/pen.ts';
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
  dropEmptySegments(store);
  allocator.setLimitBytes(limitFor(store, capacityBytes));
}

/** At an opening that asks for another bound: when whatever must hear of what is evicted is there. @throws pool_full */
export function resizeAsAsked(store: Store, capacityBytes: number | undefined): void {
  if (capacityBytes === undefined || capacityBytes === store.region.superblock.capacityBytes)
    return;
  resize(store, roundCapacity(capacityBytes));
}

/** Others must hear of it before anything is published in a segment that is made anew: nobody can, as long as we have the pen. */
function dropEmptySegments(store: Store): boolean {
  return withPen(store, () => {
    let isDropped = true; // for all that is known when it fails on the way
    try {
      isDropped = store.allocator.dropEmptySegments() > 0;
      return isDropped;
    } finally {
      if (isDropped) store.follower.announce();
    }
  });
}

/**
 * Gives the memory of empty segments and of free runs back to the system.
 * @returns bytes that came free
 * @throws io_failed
 */
export function trim(store: Store): number {
  const { allocator, region } = store;
  withPen(store, () => sweepRetired(store));
  allocator.flush();
  let bytes = allocator.giveBack();
  const beforeBytes = presentBytes(store);
  // Buffers of shared memory stay in every handle.
  if (dropEmptySegments(store) && region.type === 'mapped') {
    bytes += Math.max(0, beforeBytes - presentBytes(store));
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
  withPen(store, () => sweepRetired(store));
  const limitBytes = limitFor(store, capacityBytes);
  store.allocator.flush();
  while (store.allocator.usedBytes > limitBytes) {
    const progress = withPen(store, () => evictSome(store));
    store.allocator.flush();
    if (!progress) return store.allocator.usedBytes <= limitBytes;
  }
  return true;
}

function evictSome(store: Store): boolean {
  let progress = false;
  for (let i = 0; i < evictionsPerLook; i++) progress = store.evictor.evictOwn() || progress;
  return progress;
}

/** Parts evicted between two looks at what is in use. */
const evictionsPerLook = 16;
