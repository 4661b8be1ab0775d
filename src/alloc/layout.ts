/**
 * Format 1, continued: what the allocator keeps in every segment behind the fixed prefix of
 * memory/layout.ts.
 *
 * ```
 *              4·pageTableWord 4·slabHeadersWord 4·liveKeptWord 4·freeRemoteWord 4096·dataPage
 * ┌────────────┬──────────────┬─────────────────┬──────────────┬────────────────┬──────────────┐
 * │ … prefix   │ page table   │ slab headers    │ live and kept│ free and remote│ data         │
 * │            │ 8 B per page │ 64 B per window │ 4 B per KiB  │ 4 B per KiB    │              │
 * └────────────┴──────────────┴─────────────────┴──────────────┴────────────────┴──────────────┘
 * ```
 * Each part starts on a cache line, the data area at a multiple of the slab size. All state is out
 * of line: the data area may be memory that the processor cannot read, and nothing that a user
 * writes out of bounds can derail the allocator.
 *
 * **Page descriptor**: two words for each page. All but the first page of a run are interior: word
 * 0 is zero.
 * ```
 * word 0   31    28 27                    9   8        7      6      5    3  2     0
 *          │  0    │ length in pages (19)  │remote │ kept  │ live │ kind  │ state │
 * word 1   31            26 25                     7  6              0
 *          │      0       │ tail length (19)       │ owner (7)       │
 * ```
 * The owner stands in a run's first page, the tail length in its last page (they may be the same
 * page): from the page before a run one finds the head of its left neighbour.
 *
 * **Slab header**: one per window of a slab's size, all zero where the window is not a slab.
 * ```
 * word 0   31     16 15       9   8      7    5 4       0
 *          │   0    │ owner (7) │ slab │ kind  │ class   │
 * word 1   blocks whose bit is set in `free`
 * ```
 *
 * **Bitmaps**: one bit per granule, so an index needs no division, and a pointer into the middle of
 * a block simply has no `live` bit.
 * ```
 *                                               31         16 15          0
 * live and kept      word granule / 16          │ kept        │ live        │
 * free and remote    word granule / 32 · 2      │ free                      │
 *                    word granule / 32 · 2 + 1  │ remote                    │
 * ```
 * Live and kept are the owner's: allocate and free change one word. Remote is for other owners, and
 * so a word of its own. A block of a slab is *free* (free bit), *live* (live bit), or *claimed*:
 * neither, it waits in some owner's private stack.
 */

import { fixedPrefixBytes } from '../memory/layout.ts';
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
export const headRemote: number = 1 << 8;
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

/** A slab header's word 0. */
export function packSlab(stack: number, owner: number): number {
  return stack | slabValid | (owner << slabOwnerShift);
}

/** Granules in a word of live and kept bits: 2^4. */
export const liveWordShift = 4;
export const liveMask = 0xffff;
/** The live and the kept bit of the first granule of a word. */
export const liveAndKept = 0x10001;
export const keptShift = 16;

/** Slab sizes that the page index can align: 16 KiB…128 KiB. */
export const slabShiftMin = 14;
export const slabShiftMax = 17;

export interface SegmentLayout {
  readonly pages: number;
  /** Whole slab windows in the segment. */
  readonly windows: number;
  readonly pageTableWord: number;
  readonly slabHeadersWord: number;
  readonly liveKeptWord: number;
  readonly freeRemoteWord: number;
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
  const liveKeptByte = slabHeadersByte + windows * (4 << slabHeaderShift);
  const planeBytes = alignUp(sizeBytes / 256, lineBytes);
  const freeRemoteByte = liveKeptByte + planeBytes;
  const dataByte = alignUp(freeRemoteByte + planeBytes, 2 ** slabShift);
  if (!(dataByte + 2 ** slabShift <= sizeBytes)) {
    fail('invalid_argument', `a segment of ${sizeBytes} bytes has no room for data`);
  }
  return {
    pages,
    windows,
    pageTableWord: pageTableByte / 4,
    slabHeadersWord: slabHeadersByte / 4,
    liveKeptWord: liveKeptByte / 4,
    freeRemoteWord: freeRemoteByte / 4,
    dataPage: dataByte >> pageShift,
  };
}
