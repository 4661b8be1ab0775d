/** What every kind of region offers. The allocator and the store know only this. */

import type { Words } from './words.ts';
import type { Superblock } from './superblock.ts';

/** Bytes in a granule, the unit of references. */
export const granuleShift = 6;
export const granuleBytes = 64;

/** Bytes in a page, the unit of runs and extents. */
export const pageShift = 12;
export const pageBytes = 4096;

/** A non-negative 31-bit granule number within a pool: segment number · granules per segment + granule. 0 is none. */
export type Ref = number;

/**
 * One contiguous piece of a region, at most 1 GiB: word and byte views over the same memory.
 * Views stay valid after close (they then read zeros).
 */
export interface Segment {
  readonly number: number;
  readonly sizeBytes: number;
  readonly words: Words;
  readonly bytes: Uint8Array;
}

/** A message that lets another thread attach the same region. Structured-cloneable. */
export type RegionHandle =
  | { readonly type: 'shared'; readonly buffers: readonly SharedArrayBuffer[]; readonly segmentShift: number }
  | { readonly type: 'mapped'; readonly path: string };

export interface Region {
  readonly type: 'shared' | 'mapped';
  /** True for inspection: writes are private to this process and reach nobody (copy on write), so a mistake cannot harm the pool. */
  readonly readOnly: boolean;
  /** This thread's owner slot: 0 is the writer, 1…63 threads that joined to read, -1 for inspection. */
  readonly ownerSlot: number;
  /** Kernel boot id of this machine: 32 hex digits. */
  readonly bootId: string;
  /** log2 of the address stride of a segment; a segment may be smaller than its stride. */
  readonly segmentShift: number;
  /** log2 of the bytes in a slab: follows capacity. */
  readonly slabShift: number;
  /** Committed segments, in order. The array object never changes; it grows and shrinks. */
  readonly segments: readonly Segment[];
  /** The current superblock, validated; `commit` replaces it atomically. */
  readonly superblock: Superblock;
  /**
   * Writes the other superblock copy with a higher sequence: all fields change together or none does.
   * @throws read_only
   */
  commit(change: Partial<Superblock>): void;
  /**
   * Adds a segment: memory is reserved (so that touching it can never fault), `format` prepares it, then the superblock
   * counts it. `addSegment` of a crash before the commit leaves an uncounted segment that the next call formats anew.
   * @returns false when capacityBytes allows no further segment
   * @throws memory_unavailable when the machine has no memory or disk left: nothing has changed
   */
  addSegment(format: (segment: Segment) => void): boolean;
  /** Takes away the last segment, which must hold nothing. */
  dropSegment(): void;
  /** For another thread of this process. */
  readonly handle: RegionHandle;
  /** Lets the memory go. Stale views read zeros from then on. Idempotent. */
  close(): void;
}
