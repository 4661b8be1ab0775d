/** What the allocator offers to the rooms on its right: made and opened by allocator.ts. */

import type { Ref, Region } from '../memory/region.ts';
import type { Kind } from './kind.ts';

export interface AllocatorOptions {
  /** Bit k set: memory of kind k is zeroed when it is freed. */
  readonly zeroKinds?: number;
  /** How long to wait for another owner's lock. Default 1000. */
  readonly lockWaitMs?: number | undefined;
  /**
   * Recovers owners that died when memory is exhausted, and gives their slots back. Not for pools,
   * where more than memory must be cleared first: see `clearOwner`.
   */
  readonly recoversDead?: boolean;
}

/**
 * A set of references, used by recovery and check to compare what is reachable with what is
 * allocated.
 */
export interface Marks {
  /** @returns false when `ref` was marked before */
  add(ref: Ref): boolean;
  has(ref: Ref): boolean;
}

export type Tier = 'l1' | 'l2' | 'l3';

/** One allocation, as `walk` reports it. */
export interface Block {
  readonly ref: Ref;
  readonly kind: Kind;
  readonly tier: Tier;
  /** Usable bytes. */
  readonly sizeBytes: number;
  readonly live: boolean;
  readonly kept: boolean;
}

/** Memory that is neither live nor free, of a kind or a tier. */
export interface Waste {
  /** Bytes at the ends of slabs that are shorter than a block. */
  readonly internalBytes: number;
  /** Bytes in slabs and runs that wait to be used again: free and claimed blocks, runs in private caches. */
  readonly idleBytes: number;
}

export interface Fragmentation {
  /** 0…1: share of the free bytes that is not in the largest free run. */
  readonly external: number;
  /** 0…1: shares of the used bytes. Usable bytes that a request left unused are not known here. */
  readonly internal: number;
  readonly temporal: number;
  /** Per kind, indexed as `kinds`. */
  readonly kinds: readonly Waste[];
  readonly tiers: Record<Tier, Waste>;
}

/** Who holds memory: a kind in a tier. */
export interface Holder {
  readonly kind: Kind;
  readonly tier: Tier;
  readonly usedBytes: number;
  readonly liveBytes: number;
}

/** Why a request was, or would be, refused. */
export interface Verdict {
  /**
   * `none`: it would be served, by growth if need be. `limit`: used bytes would pass the limit. `fragmentation`: enough is free, but not in
   * one place. `memory`: not enough is free, and the region cannot grow; or the system had none for the last request.
   */
  readonly reason: 'none' | 'limit' | 'fragmentation' | 'memory';
  /** What the request takes: a block of a slab that has one, a slab, or whole pages. */
  readonly neededBytes: number;
  readonly freeBytes: number;
  readonly usedBytes: number;
  /** Infinity where there is none. */
  readonly limitBytes: number;
  /** What the region could still grow by. */
  readonly growthBytes: number;
  /** Largest place for a slab, a run, and an extent. */
  readonly largestFreeRunBytes: Record<Tier, number>;
  /** Most used bytes first. */
  readonly topHolders: readonly Holder[];
  /** Bytes that would come free, at the most, by: */
  readonly wouldFree: {
    /** `flush` of this owner, and of the others, */
    readonly ownFlush: number;
    readonly othersFlush: number;
    /** recovery of owners that died, */
    readonly recovery: number;
    /** moving what lies between free runs: not free bytes, but bytes beyond the largest run. */
    readonly compaction: number;
  };
}

export interface AllocatorStats {
  /** Bytes of all segments, metadata included. */
  readonly reservedBytes: number;
  /** Bytes of the segments' own metadata (headers, page tables, bitmaps). */
  readonly metadataBytes: number;
  /** Bytes in slabs, runs and extents that are handed out (slabs count whole). */
  readonly usedBytes: number;
  /** Usable bytes of live allocations. */
  readonly liveBytes: number;
  readonly freeBytes: number;
  /**
   * Bytes of free runs whose memory is with the system: see `giveBack`. A run that has since merged
   * with one in memory does not count until the next giving back.
   */
  readonly givenBackBytes: number;
  readonly largestFreeRunBytes: number;
  /** Per kind, indexed as `kinds`. */
  readonly kinds: readonly {
    readonly usedBytes: number;
    readonly liveBytes: number;
    readonly liveBlocks: number;
  }[];
  readonly tiers: Record<
    Tier,
    {
      readonly runs: number;
      readonly liveBlocks: number;
      readonly liveBytes: number;
      readonly usedBytes: number;
    }
  >;
  readonly fragmentation: Fragmentation;
  readonly allocations: number;
  readonly frees: number;
  readonly failures: number;
}

/** One cell of the memory map: an equal share of all segments side by side. */
export interface MapCell {
  /**
   * Index into `kinds` of the kind with most bytes here, or -1 when free, or -2 for the allocator's
   * own metadata.
   */
  readonly kind: number;
  /** 0…1: share of the cell that live allocations fill. */
  readonly fill: number;
}

export interface Allocator {
  readonly region: Region;

  /**
   * Memory of at least `sizeBytes` (1…`maxAllocationBytes`), 64-byte aligned; page aligned above 4
   * KiB. Not zeroed.
   * @returns 0 when exhausted: nothing has changed. Grows the region when that is allowed.
   * @throws value_too_large, invalid_argument; pool_busy when a living owner keeps the lock of memory
   * that might do; read_only for an onlooker
   */
  allocate(kind: Kind, sizeBytes: number): Ref;

  /**
   * Like `allocate`, of what is at hand: what is free, what runs this owner holds, and what the region may grow by as far as it knows. Blocks that it holds,
   * and what others hold, stay where they are, which makes a refusal cheap. For who frees something next and asks again.
   * @returns 0 where nothing is at hand, though `allocate` may find something
   * @throws as `allocate`
   */
  allocateAtHand(kind: Kind, sizeBytes: number): Ref;

  /**
   * Memory like that of the run or extent `than`, nearer to where memory is full: in a lower segment, or higher up in the same one. For
   * compaction: its bytes may move there. Neither waits nor grows the region.
   * @returns 0 when there is none: nothing has changed
   * @throws foreign_reference, also for a block of a slab
   */
  allocateNearer(than: Ref): Ref;

  /**
   * By any owner, whoever allocated it. Never waits for another owner.
   * @throws double_free, foreign_reference, wrong_kind: nothing has changed
   */
  free(ref: Ref, kind: Kind): void;

  /** Marks a live allocation as published: it outlives its owner. @throws foreign_reference */
  keep(ref: Ref): void;
  /**
   * Takes the mark back, before a free. `free` of a kept block is allowed and clears the mark
   * first.
   */
  unkeep(ref: Ref): void;

  /**
   * For memory that others read who look afterwards whether it was still there: it is never given
   * back to the system, also when it is free again. Blocks of metadata need it not.
   * @throws foreign_reference
   */
  retain(ref: Ref): void;

  /** Usable bytes of a live allocation. @throws foreign_reference */
  sizeOf(ref: Ref): number;
  kindOf(ref: Ref): Kind;
  /**
   * True when `ref` is the start of a live allocation. Never throws: for validating references read
   * from memory.
   */
  isLive(ref: Ref): boolean;

  /** Largest `sizeBytes` that an empty segment of the configured size could serve. */
  readonly maxAllocationBytes: number;

  /** Bytes in slabs, runs and extents that are handed out, without a walk. */
  readonly usedBytes: number;
  /** Bytes that are free within the limit in the segments that there are, in one place or in many, without a walk. */
  readonly freeBytes: number;

  /**
   * Bounds `usedBytes` of all owners together: allocate returns 0 rather than pass it. For shrinking
   * a pool in use; what is handed out already stays.
   * @throws invalid_argument
   */
  setLimitBytes(limitBytes: number): void;
  /**
   * Gives the memory of free runs of at least `minBytes` (default 64 KiB) back to the system, but for
   * what is retained. It is taken again when it is handed out; where that fails, `allocate`
   * looks for memory that is there. Segments that another owner is changing are passed over.
   * @returns bytes that came free
   * @throws invalid_argument; io_failed
   */
  giveBack(minBytes?: number): number;
  /** Gives trailing segments that hold nothing back to the region. @returns how many */
  dropEmptySegments(): number;

  /**
   * After a crash: frees what dead owners, and the owner who had this slot before, had not kept, and
   * leaves their slabs to whoever needs them. When no other owner lives, also what nobody owns.
   * @throws pool_busy when a living owner keeps the lock of a segment
   */
  recover(): { readonly freedBlocks: number; readonly freedBytes: number };
  /**
   * Recovers one owner that died without giving its slot back, and gives the slot back.
   * @returns false when it lives, or the slot is free
   * @throws pool_busy when a living owner keeps the lock of a segment: nothing is lost, try again
   */
  recoverOwner(slot: number): boolean;
  /** The same for who holds the slot of the dead: inside `region.reclaim`. What is freed is zeroed: it may be what was meant to be wiped. */
  clearOwner(slot: number): { readonly freedBlocks: number; readonly freedBytes: number };
  newMarks(): Marks;
  /**
   * Holds the locks of all segments: no run of pages is made or ended by anybody until the returned function is called.
   * @throws pool_busy when a living owner keeps one of them
   */
  freeze(): () => void;
  /**
   * Frees and zeroes every kept allocation that is not in `marks`, while other owners allocate and free what is not kept. For recovery by the
   * only one who may keep anything now.
   * @throws pool_busy when a living owner keeps the lock of a segment
   */
  sweepKept(marks: Marks): { readonly freedBlocks: number; readonly freedBytes: number };
  /** Frees every live allocation that is not in `marks`; all others become kept. For recovery. */
  sweep(marks: Marks): { readonly freedBlocks: number; readonly freedBytes: number };

  /**
   * Visits every live allocation.
   * @param damaged called with a page where a run should start and none does; the walk goes on at the next one: it is how to walk what others change
   * meanwhile, of which some is then missed. Without it:
   * @throws pool_corrupt
   */
  walk(visit: (block: Block) => void, damaged?: (page: number) => void): void;
  /**
   * Verifies every invariant of page table, slab headers, bitmaps and counters.
   * @returns violations in words; empty when sound
   */
  check(): string[];
  stats(): AllocatorStats;
  memoryMap(cells: number): MapCell[];
  /**
   * Says why such a request is refused, who holds the memory, and what would free some. Walks all
   * memory: for reports, not for every request.
   * @throws value_too_large, invalid_argument
   */
  explain(kind: Kind, sizeBytes: number): Verdict;

  /** Gives back what waits in private stacks and caches, and takes in what others have freed. */
  flush(): void;
  /**
   * Whether a live block lies in a slab that another owner has: what is freed of it is memory for that owner only, once it looks.
   */
  isOthers(ref: Ref): boolean;
  /** Asks all other owners to leave their slabs to whoever frees a block of them. They hear of it in `notice`. */
  askToShare(): void;
  /** Answers to others who found no memory, or none that they could use. An owner that allocates does so by itself; one that is idle should now and then. */
  notice(): void;
  /**
   * Before this owner goes: flushes, and leaves its slabs to whoever needs them. The region is
   * complete for the next opening.
   */
  leave(): void;
}
