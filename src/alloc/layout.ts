/**
 * Format 1, continued: what the allocator keeps in every segment behind the fixed prefix of
 * memory/layout.ts, and in its header page.
 *
 * ```
 *            4·pageTableWord  4·slabHeadersWord 4·bitsWord     4·linksWord    4·pendingWord  4096·dataPage
 * ┌──────────┬───────────────┬─────────────────┬──────────────┬──────────────┬──────────────┬─────────┐
 * │ … prefix │ page table    │ slab headers    │ bitmaps      │ free links   │ pending      │ data    │
 * │          │ 8 B per page  │ 64 B per window │ 8 B per KiB  │ 8 B per page │ 1 bit / page │         │
 * └──────────┴───────────────┴─────────────────┴──────────────┴──────────────┴──────────────┴─────────┘
 * ```
 * Each part starts on a cache line, the data area at a multiple of the slab size. All state is out
 * of line: the data area may be memory that the processor cannot read, and nothing that a user
 * writes out of bounds can derail the allocator.
 *
 * **Page descriptor**: two words for each page. All but the first page of a run are interior: word
 * 0 is zero.
 * ```
 * word 0   31 30   29       28    27                    9   8        7      6      5    3  2     0
 *          │ 0  │ partly │ absent │ length in pages (19)  │remote │ kept  │ live │ kind  │ state │
 * word 1   31            26 25                     7  6              0
 *          │      0       │ tail length (19)       │ label (7)       │
 * ```
 * The label stands in a run's first page, the tail length in its last page (they may be the same
 * page): from the page before a run one finds the head of its left neighbour. The label is the owner
 * who allocated the run, or who is freeing it; 127 is nobody, also in free runs.
 *
 * A run or extent is *live* (live), *claimed* (no flag: the owner in the label has it in a private
 * cache or is about to give it back), or *given back* (remote: free, but the segment was locked when
 * it was freed; whoever has the lock next merges it). Heads of live runs change by compare and
 * exchange, by anybody; all else in a segment's page table changes under the segment's lock.
 *
 * A free run is *absent* when memory of it was given back to the system: pages of it are taken again
 * before they are handed out, and nobody touches them before, not even to read. Absent *partly*: of
 * it there may be more to give. A part of a free run is as absent as the whole, and two unlike ones
 * make one that is absent partly.
 *
 * **Slab header**: one per window of a slab's size, words 0…2 zero where the window is not a slab.
 * ```
 * word 0   31     16 15       9   8      7    5 4       0
 *          │   0    │ owner (7) │ slab │ kind  │ class   │
 * word 1   blocks whose bit is set in `free`
 * word 2   news: bit w is set after a remote bit was set in word w (or w + 32) of the slab
 * word 3   1 when the memory of the window is retained; stays, also without a slab
 * ```
 * *Retained* memory is never given back to the system: slabs of metadata, and what the store asks
 * for. Others read it and look afterwards whether it was still there (store/follower.ts).
 *
 * **Bitmaps**: one bit per granule, so an index needs no division, and a pointer into the middle of
 * a block simply has no `live` bit. The four words of 32 granules stand side by side, in one cache
 * line: `granule / 32 · 4`
 * ```
 *   + 0 live     the owner's, plain
 *   + 1 kept     anybody's, atomic
 *   + 2 free     the owner's, plain
 *   + 3 remote   set by those who free a block of another owner, atomic; cleared by the owner
 * ```
 * A block of a slab is *free* (free bit), *live* (live bit), or *claimed*: neither, it waits in its
 * owner's private stack. A live block with a remote bit is freed, and its owner has yet to notice.
 *
 * **Index of free runs**: a cache over the page table, read and changed under the segment's lock,
 * rebuilt by whoever inherits that. In the segment's header page:
 * ```
 * word 16 lock │ 17 pending groups │ 18 used pages │ 19 absent since │ 32…43 bins in use │ 48…431 first page of each bin
 * ```
 * and two words for each page, used where a free run starts: the next and the previous of its bin.
 *
 * **Pending**: a bit for the first page of every run that was given back, a hint for whoever has the
 * lock; the head's remote flag is the truth. Bit g of *pending groups* speaks for pages
 * [8192 g, 8192 (g + 1)).
 */

import { controlByte, fixedPrefixBytes, segmentHeaderByte } from '../memory/layout.ts';
import { granuleShift, pageShift } from '../memory/region.ts';
import { fail } from '../errors.ts';

/** States of a page's run. Interior must be 0: a fresh segment is all interior. */
export const stateInterior = 0;
export const stateFree = 1;
export const stateSlab = 2;
/** L2: up to `runPagesLimit` pages. */
export const stateRun = 3;
/** L3: more. */
export const stateExtent = 4;
/** The segment's own metadata, at page 0. */
export const stateMetadata = 5;

/** Longest run of tier L2, in pages: 1 MiB. */
export const runPagesLimit = 256;

export const headStateMask = 7;
export const headKindShift = 3;
export const headKindMask = 7;
export const headLive: number = 1 << 6;
export const headKept: number = 1 << 7;
/** Given back while the segment was locked. */
export const headRemote: number = 1 << 8;
/** Of a free run: memory of it may be with the system. */
export const headAbsent: number = 1 << 28;
/** Of an absent run: there may be more of it to give back. */
export const headPartly: number = 1 << 29;
export const headLengthShift = 9;
export const tailShift = 7;
export const ownerMask = 127;
export const lengthMask = 0x7ffff;

/** A page descriptor's word 0. */
export function packHead(state: number, kind: number, flags: number, pages: number): number {
  return state | (kind << headKindShift) | flags | (pages << headLengthShift);
}

export function stateOf(head: number): number {
  return head & headStateMask;
}

export function kindOfHead(head: number): number {
  return (head >> headKindShift) & headKindMask;
}

export function lengthOf(head: number): number {
  return (head >> headLengthShift) & lengthMask;
}

/** How absent a free run is: none of the flags, `headAbsent`, or both. */
export function absenceOf(head: number): number {
  return head & (headAbsent | headPartly);
}

/** Absence of a free run that is made of two. */
export function jointAbsence(a: number, b: number): number {
  return a === b ? a : headAbsent | headPartly;
}

/** Word 0 of a free run's first page. */
export function packFree(absence: number, pages: number): number {
  return packHead(stateFree, 0, absence, pages);
}

/** A run that was freed while its segment was locked: whoever has the lock merges it. */
export function isGivenBack(head: number): boolean {
  return (head & (headLive | headRemote)) === headRemote;
}

/** log2 of granules in a page: references of runs are multiples of it. */
export const pageGranuleShift: number = pageShift - granuleShift;

/** log2 of the words in a slab header. */
export const slabHeaderShift = 4;
export const slabValid: number = 1 << 8;
export const slabOwnerShift = 9;
export const slabFreeCount = 1;

/** Bits of a slab header that name its stack: kind · 32 + class. */
export const stackMask = 255;
export const kindOfStackShift = 5;
/** Those of them that name its class. */
export const classMask = 31;

/** A slab header's word 0. */
export function packSlab(stack: number, owner: number): number {
  return stack | slabValid | (owner << slabOwnerShift);
}

/** Bits of a slab header that say whether it is one, and of which stack. */
export const belowOwner: number = (1 << slabOwnerShift) - 1;

/** The word of a slab header that tells of remote frees. */
export const slabNews = 2;
/** The word of a slab header, slab or not, that tells whether the memory of its window is retained. */
export const windowRetained = 3;

/** Owner of what nobody owns: kept runs of the dead, slabs of those who left. */
export const nobody = 127;
/** The header of a slab of nobody, but for its stack. */
export const slabOfNobody: number = slabValid | (nobody << slabOwnerShift);

/** log2 of the words that 32 granules have. */
export const bitsWordShift = 2;
/** The four words of 32 granules. */
export const liveAt = 0;
export const keptAt = 1;
export const freeAt = 2;
export const remoteAt = 3;

/** Words of a segment's header page that belong to the allocator. */
const headerWord: number = segmentHeaderByte >> 2;
export const pendingGroupsWord: number = headerWord + 17;
/** Pages handed out: in slabs, runs and extents, live or claimed. */
export const usedPagesWord: number = headerWord + 18;
/** Epoch of slot 0 when memory was given back last: whoever opens with `own` after that fills all holes. */
export const absentSinceWord: number = headerWord + 19;
export const binsInUseWord: number = headerWord + 32;
export const binsWord: number = headerWord + 48;
/** Two sets of bins. */
export const binCount = 384;
/** log2 of the pages that one bit of pending groups speaks for. */
export const pendingGroupShift = 13;

/** Words of the control page that belong to the allocator. */
export const allocControl: Readonly<Record<'pressure' | 'limit' | 'sharing' | 'orphans', number>> =
  {
    /** Rises when an owner found no memory: others give back what they hold in private. */
    pressure: (controlByte >> 2) + 64,
    /** Bound on used pages, plus one; 0 is none. */
    limit: (controlByte >> 2) + 65,
    /** Rises when an owner could use nothing of what it might free, as it lies in slabs of others: they leave theirs to nobody. */
    sharing: (controlByte >> 2) + 66,
    /** 5 words: bit for each stack that has slabs of nobody with free blocks. */
    orphans: (controlByte >> 2) + 80,
  };

/** Slab sizes that the page index can align: 16 KiB…128 KiB. */
export const slabShiftMin = 14;
export const slabShiftMax = 17;

export interface SegmentLayout {
  readonly pages: number;
  /** Whole slab windows in the segment. */
  readonly windows: number;
  readonly pageTableWord: number;
  readonly slabHeadersWord: number;
  readonly bitsWord: number;
  readonly linksWord: number;
  readonly pendingWord: number;
  /** First page of the data area. */
  readonly dataPage: number;
}

const lineBytes = 64;

function alignUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** Where things are in a segment of `sizeBytes`. @throws invalid_argument */
export function segmentLayout(sizeBytes: number, slabShift: number): SegmentLayout {
  if (!(slabShift >= slabShiftMin && slabShift <= slabShiftMax)) {
    fail(
      'invalid_argument',
      `slabShift ${slabShift} is not within ${slabShiftMin}…${slabShiftMax}`,
    );
  }
  const pages = sizeBytes >> pageShift;
  const windows = Math.ceil(sizeBytes / 2 ** slabShift);
  const pageTableByte = fixedPrefixBytes;
  const slabHeadersByte = alignUp(pageTableByte + pages * 8, lineBytes);
  const bitsByte = slabHeadersByte + windows * (4 << slabHeaderShift);
  const linksByte = alignUp(bitsByte + sizeBytes / 128, lineBytes);
  const pendingByte = alignUp(linksByte + pages * 8, lineBytes);
  const dataByte = alignUp(pendingByte + pages / 8, 2 ** slabShift);
  if (!(dataByte + 2 ** slabShift <= sizeBytes)) {
    fail('invalid_argument', `a segment of ${sizeBytes} bytes has no room for data`);
  }
  return {
    pages,
    windows,
    pageTableWord: pageTableByte / 4,
    slabHeadersWord: slabHeadersByte / 4,
    bitsWord: bitsByte / 4,
    linksWord: linksByte / 4,
    pendingWord: pendingByte / 4,
    dataPage: dataByte >> pageShift,
  };
}
