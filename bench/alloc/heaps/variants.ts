/**
 * Variants of our allocator, to see what each of its ideas is worth:
 *
 * - `cenote, global lock`: one lock around every call, as a simple shared allocator has it;
 * - `cenote, sharded locks`: a lock per segment around every call, and no private cache of runs;
 * - `cenote, no run cache`: as shipped, but runs of pages are always taken and given under the segment's lock.
 */

import type { PoolAllocator } from '../../../src/alloc/allocator.ts';
import { granuleShift } from '../../../src/memory/region.ts';
import { lock, unlock } from '../mutex.ts';
import type { Source } from './heap.ts';

export type Variant = 'global lock' | 'sharded locks' | 'no run cache';

/** Lock words that all workers share. */
export const lockWords = 64;

class GlobalLock implements Source<number> {
  readonly #allocator: PoolAllocator;
  readonly #locks: Int32Array;

  constructor(allocator: PoolAllocator, locks: Int32Array) {
    this.#allocator = allocator;
    this.#locks = locks;
  }

  allocate(kind: number, sizeBytes: number): number {
    lock(this.#locks, 0);
    try {
      return this.#allocator.allocate(kind, sizeBytes);
    } finally {
      unlock(this.#locks, 0);
    }
  }

  free(ref: number, kind: number): void {
    lock(this.#locks, 0);
    try {
      this.#allocator.free(ref, kind);
    } finally {
      unlock(this.#locks, 0);
    }
  }
}

/** Workers allocate behind a lock of their own, and free behind the lock of the block's segment. */
class ShardedLocks implements Source<number> {
  readonly #allocator: PoolAllocator;
  readonly #locks: Int32Array;
  readonly #own: number;
  readonly #shift: number;

  constructor(allocator: PoolAllocator, locks: Int32Array) {
    this.#allocator = allocator;
    this.#locks = locks;
    const { region } = allocator;
    this.#own = Math.max(region.ownerSlot, 0) % lockWords;
    this.#shift = region.segmentShift - granuleShift;
  }

  allocate(kind: number, sizeBytes: number): number {
    lock(this.#locks, this.#own);
    try {
      return this.#allocator.allocate(kind, sizeBytes);
    } finally {
      unlock(this.#locks, this.#own);
    }
  }

  free(ref: number, kind: number): void {
    const shard = (ref >> this.#shift) % lockWords;
    lock(this.#locks, shard);
    try {
      this.#allocator.free(ref, kind);
    } finally {
      unlock(this.#locks, shard);
    }
  }
}

export function sourceOf(
  allocator: PoolAllocator,
  variant: Variant | undefined,
  locks: Int32Array,
): Source<number> {
  if (variant === undefined) return allocator;
  if (variant !== 'global lock') {
    const { cache } = allocator;
    cache.fit(0, 1, true);
    cache.fit = () => {}; // as the pool grows, too
  }
  if (variant === 'no run cache') return allocator;
  return variant === 'global lock'
    ? new GlobalLock(allocator, locks)
    : new ShardedLocks(allocator, locks);
}
