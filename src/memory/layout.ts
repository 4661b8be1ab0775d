/**
 * Format 1: where things are in a segment. All words little endian, 32 bit.
 *
 * ```
 * byte 0    4096      8192      12288     16384         24576          32768           40960
 * ┌─────────┬─────────┬─────────┬─────────┬─────────────┬──────────────┬───────────────┬────────────┬──────────────┬──────────┬──────┐
 * │ super A │ super B │ segment │ control │ owner slots │ allocator    │ store         │ page table │ slab headers │ bitmaps  │ data │
 * │         │         │ header  │         │             │ counters     │ counters      │            │              │          │      │
 * │ (seg. 0)│ (seg. 0)│         │ (seg. 0)│ 64 × 128 B  │ 64 × 128 B   │ 64 × 128 B    │ 8 B / page │ 64 B / slab  │ 4 / slab │      │
 * └─────────┴─────────┴─────────┴─────────┴─────────────┴──────────────┴───────────────┴────────────┴──────────────┴──────────┴──────┘
 * ```
 * The first 40 KiB have the same shape in every segment; superblocks, control, owners and counters are used in segment 0 only.
 * What follows is the allocator's (alloc/layout.ts).
 */

export const superblockAByte = 0;
export const superblockBByte = 4096;
export const segmentHeaderByte = 8192;
export const controlByte = 12288;
export const ownerSlotsByte = 16384;
export const ownerSlotBytes = 128;
export const ownerCountersByte = 24576;
export const ownerCountersBytes = 128;
/** Counters of the store, one writer each, per owner slot (store/counters.ts). */
export const storeCountersByte = 32768;
export const fixedPrefixBytes = 40960;
export const ownersMaxLimit = 64;

/** Segment header, word indices relative to segmentHeaderByte. */
export const segmentMagic = 0x53_4e_45_43; // 'CENS'
export const segmentHeader = {
  magic: 0,
  number: 1,
  sizeBytesLow: 2,
  sizeBytesHigh: 3,
  poolUuid: 4, // 4 words
  checksum: 8, // crc32 of words 0..7
  /** Bytes of a shared buffer that may not be zero: what must be wiped before it is a segment again. 0 in files. */
  touchedBytes: 9,
  /** Lock of the segment (lock.ts): in a cache line of its own, like what it protects. */
  lock: 16,
} as const;

/** Index of a segment's lock in its words. */
export const segmentLockWord: number = (segmentHeaderByte >> 2) + segmentHeader.lock;

/**
 * Control words of segment 0, relative to controlByte: committed by a single store each, no checksum. The store's are changed by who
 * holds the pen, but for the tick; all of them but `version` are rebuilt by recovery. Words 64 and up are the allocator's.
 */
export const control = {
  /** Access clock: the tick of the most recent use. */
  tick: 1,
  /** Highest version handed out: low 32 bits, high 21 bits. */
  versionLow: 2,
  versionHigh: 3,
  /** First free entry, chained through the entries' nextInContext; 0 is none. */
  freeEntry: 4,
  /** Live contexts, parts, pinned parts; parts retired but still leased. */
  contexts: 5,
  parts: 6,
  pinnedParts: 7,
  retiredParts: 8,
  /** Bytes of live parts: low 32 bits, high bits. */
  partBytesLow: 9,
  partBytesHigh: 10,
  /** Parts whose replaced bytes are still leased (store/parked.ts). */
  parkedParts: 11,
  /** Lock of the region (lock.ts), under which superblocks are written and segments come and go. A cache line of its own. */
  regionLock: 16,
  /** The pen (store/pen.ts): the lock under which the store is changed, and what goes with it. A cache line of its own. */
  pen: 32,
  /** Token of who held the pen last; how often it was taken; not 0: what it protects must be recovered first. */
  penLast: 33,
  penTaken: 34,
  penBroken: 35,
  /** First retired entry that waits for leases, and first entry with parked bytes (store/waiting.ts); 0 is none. */
  retiredHead: 36,
  parkedHead: 37,
  /**
   * Rises when a reader's cached index tables are out of date; odd while a table is being rebuilt in place. Read by every get: in a
   * cache line that is rarely written.
   */
  indexEpoch: 48,
} as const;

/** Index of the region's lock in the words of segment 0. */
export const regionLockWord: number = (controlByte >> 2) + control.regionLock;
