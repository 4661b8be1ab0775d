/** What every kind of region offers. The allocator and the store know only this. */

import type { WasmMemory } from './wasm-words.ts';
import type { OrAt, Words } from './words.ts';
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
 * Views stay valid after close: see `Region.close`.
 */
export interface Segment {
  readonly number: number;
  readonly sizeBytes: number;
  /** What `words` and `bytes` show, from `firstByte` on: asking these for it would cost a get a tenth. */
  readonly buffer: ArrayBufferLike;
  readonly firstByte: number;
  readonly words: Words;
  readonly bytes: Uint8Array;
  /**
   * The writer's way to copy into shared memory, where there is one: the same bytes behind an ordinary ArrayBuffer, into which V8 copies with memcpy
   * (64 KiB in 0.7 µs, against 2.0 into a SharedArrayBuffer). Never handed out: unlike `bytes` it does not keep the memory.
   */
  readonly copies?: Uint8Array;
  /** Of the words of `buffer`, where this thread has a faster `or` for them than words.ts. */
  readonly orAt: OrAt | undefined;
}

/** Where a segment begins in a buffer: in a shared one, at what it is longer than granules (shared.ts). */
function firstByteOf(buffer: ArrayBufferLike): number {
  return buffer instanceof SharedArrayBuffer ? buffer.byteLength & (granuleBytes - 1) : 0;
}

/** The words of a buffer that has a segment. */
export function wordsOf(buffer: ArrayBufferLike): Words {
  return new Int32Array(buffer, firstByteOf(buffer));
}

/** A segment in the first `sizeBytes` of what a buffer has of granules. */
export function segmentOver(
  buffer: ArrayBufferLike,
  number: number,
  sizeBytes: number,
  orAt?: OrAt,
): Segment {
  const firstByte = firstByteOf(buffer);
  const words = new Int32Array(buffer, firstByte, sizeBytes >> 2);
  const bytes = new Uint8Array(buffer, firstByte, sizeBytes);
  return { number, sizeBytes, buffer, firstByte, words, bytes, orAt };
}

/** Where to copy into a segment. */
export function copyTargetOf(segment: Segment): Uint8Array {
  return segment.copies ?? segment.bytes;
}

/** A message that lets another thread attach the same region. Structured-cloneable. */
export type RegionHandle =
  | {
      readonly type: 'shared';
      readonly buffers: readonly SharedArrayBuffer[];
      /** What the first buffer is the memory of: for what only WebAssembly can do with it. */
      readonly memory?: WasmMemory;
      readonly segmentShift: number;
    }
  | { readonly type: 'mapped'; readonly path: string };

export interface Region {
  readonly type: 'shared' | 'mapped';
  /** True for inspection: writes are private to this process and reach nobody (copy on write), so a mistake cannot harm the pool. */
  readonly readOnly: boolean;
  /** This thread's owner slot: 0 for who opened it with `own`, 1…63 for those who joined, -1 for inspection. */
  readonly ownerSlot: number;
  /**
   * True when the previous owner of this slot died without giving it back: whoever has the slot now must clear up after it before anything
   * else. In mapped regions only: slot 0, and any other when no slot is free.
   */
  readonly slotAbandoned: boolean;
  /**
   * False while this owner, or the one who died in its slot, may have something in the region. Closing leaves the slot abandoned then, and others
   * clear it.
   */
  slotSettled: boolean;
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
   * Writes the superblock with a higher sequence: all fields change together or none does, on top of what other owners committed meanwhile.
   * Identity and geometry (version, poolUuid, segmentShift, slabShift, segmentCount, ownersMax, createdAtMs, hash seeds, sequence)
   * cannot be changed here. Under the region's lock, like addSegment and dropSegment.
   * @throws read_only for an inspection; invalid_argument for a field out of range; pool_busy: nothing has changed
   */
  commit(change: Partial<Superblock>): void;
  /**
   * Adds a segment: memory is reserved (so that touching it can never fault), `format` prepares it, then the superblock
   * counts it. `addSegment` of a crash before the commit leaves an uncounted segment that the next call formats anew.
   * When other owners have added segments that this one did not know, it takes those over instead, and does not call `format`.
   * @returns true when `segments` has grown; false when capacityBytes allows no further segment
   * The segment is all zero but for its header when `format` gets it, and is not yet in `segments`. Its lock is closed until it is counted.
   * @throws read_only; pool_busy; memory_unavailable when the machine has no memory or disk left: nothing has changed
   */
  addSegment(format: (segment: Segment) => void): boolean;
  /**
   * Takes away the last segment, which must hold nothing: its lock (`segmentLockWord`), which the caller should hold, is closed for ever. Owners
   * that still have a view of it can take nothing from it. Where it is the same memory again later, its lock opens only after the
   * superblock counts it: **take a segment's lock, then `refresh`, then look whether it is the segment you meant**.
   * @returns false when another owner has added or dropped one meanwhile, or holds the segment's lock: nothing has changed
   * @throws invalid_argument for the only segment; read_only; pool_busy
   */
  dropSegment(): boolean;
  /**
   * Whether the owner of a slot lives. In a mapped region its lock says so (about 2 µs), so that an owner that was killed is seen at
   * once; in a shared region whoever started its thread must have told `threadExited`.
   */
  ownerLives(slot: number): boolean;
  /**
   * Death notice for shared regions: a thread of this process has ended. Its slots are abandoned until someone reclaims them. In mapped
   * regions the kernel gives notice, and after closing nobody asks: nothing happens.
   * @returns the slots
   */
  threadExited?(threadId: number): readonly number[];
  /**
   * Ends the slot of an owner that died without giving it back: runs `clear`, which undoes what it left in memory, while nobody can
   * take the slot. If `clear` throws, or this owner dies in it, the slot stays abandoned and can be reclaimed again.
   * @returns false when the slot is free, its owner lives, or another survivor is at it: `clear` has not run
   * @throws read_only for an inspection
   */
  reclaim?(slot: number, clear: () => void): boolean;
  /**
   * Gives the memory of whole pages that hold nothing back to the system: those in [fromByte, toByte), beyond the prefix of a segment of this
   * region. What is in them then is zero or what it was. **They must be taken again before they are touched**: where the disk is full, even reading
   * them is a fault.
   * @returns bytes that came free: 0 where that cannot be done, or was done before
   * @throws read_only; invalid_argument; io_failed
   */
  giveBack?(segment: Segment, fromByte: number, toByte: number): number;
  /**
   * Reserves pages again that were given back, all that [fromByte, toByte) touches, so that touching them can never fail. What
   * they hold stays.
   * @returns false when the machine has no memory or disk left, or the segment was dropped: the pages may not be touched
   * @throws read_only; invalid_argument; io_failed
   */
  takeAgain?(segment: Segment, fromByte: number, toByte: number): boolean;
  /** Shows segments that others have added since, and hides those they have dropped: one load when nothing was committed. */
  refresh(): void;
  /** For another thread of this process. */
  readonly handle: RegionHandle;
  /**
   * Lets the memory go and gives the owner slot back. `segments` keeps its views: in a mapped region they read zeros from then on, and writes
   * to them reach nobody; in a shared one they show the memory as long as someone holds it. Idempotent.
   */
  close(): void;
}

/** What a new region is made from. Randomness and time come from outside: see `freshIdentity`. */
export interface RegionOptions {
  /** Bound on the bytes of all segments: 4 MiB…128 GiB, rounded down to 64 KiB. */
  readonly capacityBytes: number;
  /** How far capacity may be raised later (shared regions reserve address space for it). Default: capacityBytes. */
  readonly maxCapacityBytes?: number | undefined;
  /** A power of two, 4 MiB…1 GiB. Default: half of capacity, as a power of two. */
  readonly segmentBytes?: number | undefined;
  /** 1…64, default 64. */
  readonly ownersMax?: number | undefined;
  /** 32 hex digits. */
  readonly poolUuid: string;
  /** 16 hex digits; default zeros. */
  readonly tenantHash?: string | undefined;
  /** Signed 32-bit words. */
  readonly hashSeedLow: number;
  readonly hashSeedHigh: number;
  readonly createdAtMs: number;
  /** 32 hex digits; default: the kernel's. */
  readonly bootId?: string | undefined;
}
