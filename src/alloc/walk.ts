/** Visits what is allocated, from page tables, slab headers and bitmaps alone. */

import { bitCount } from '../base/bits.ts';
import { granuleShift, pageShift, type Ref, type Region } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import type { Block } from './api.ts';
import { classBytes, classCount } from './classes.ts';
import {
  bitsWordShift,
  headKept,
  headLive,
  keptAt,
  kindOfHead,
  kindOfStackShift,
  lengthOf,
  liveAt,
  remoteAt,
  slabHeaderShift,
  stackMask,
  stateExtent,
  stateOf,
  stateRun,
  stateSlab,
  pageGranuleShift,
} from './layout.ts';
import type { SegmentView } from './segment-view.ts';

/** Index of a page's slab window. */
export function windowOfPage(page: number, slabShift: number): number {
  return page >> (slabShift - pageShift);
}

/** Words of one bitmap of a slab. */
export function slabWordsOf(slabShift: number): number {
  return 1 << (slabShift - granuleShift - 5);
}

/** Header of the slab that starts at `page`. */
export function slabHeaderAt(view: SegmentView, page: number, slabShift: number): number {
  return peek(view.headers, windowOfPage(page, slabShift) << slabHeaderShift);
}

/** Bits of live blocks of 32 granules, but for those that another owner has freed. */
export function liveBits(view: SegmentView, word: number): number {
  const at = word << bitsWordShift;
  return peek(view.bits, at + liveAt) & ~peek(view.bits, at + remoteAt);
}

/** Kept bits of 32 granules. */
export function keptBits(view: SegmentView, word: number): number {
  return peek(view.bits, (word << bitsWordShift) + keptAt);
}

/** Live blocks of the slab that starts at `page`. */
export function countLive(view: SegmentView, page: number, slabShift: number): number {
  const slabWords = slabWordsOf(slabShift);
  const first = windowOfPage(page, slabShift) * slabWords;
  let count = 0;
  for (let word = first; word < first + slabWords; word++) {
    count += bitCount(liveBits(view, word));
  }
  return count;
}

/**
 * Visits every live allocation of a segment in order of its address; `visit` changes nothing.
 * @throws pool_corrupt
 */
export function walkBlocks(
  view: SegmentView,
  region: Region,
  visit: (block: Block) => void,
  damaged?: (page: number) => void,
): void {
  const { slabShift } = region;
  const firstRef = view.segment.number << (region.segmentShift - granuleShift);
  view.table.walk((page, head) => {
    const state = stateOf(head);
    if (state === stateSlab) walkSlab(view, page, slabShift, firstRef, visit);
    else if ((state === stateRun || state === stateExtent) && (head & headLive) !== 0) {
      visit({
        ref: firstRef + (page << pageGranuleShift),
        kind: kindOfHead(head),
        tier: state === stateRun ? 'l2' : 'l3',
        sizeBytes: lengthOf(head) << pageShift,
        live: true,
        kept: (head & headKept) !== 0,
      });
    }
  }, damaged);
}

function walkSlab(
  view: SegmentView,
  page: number,
  slabShift: number,
  firstRef: Ref,
  visit: (block: Block) => void,
): void {
  const header = slabHeaderAt(view, page, slabShift);
  if (header === 0) return;
  const kind = (header & stackMask) >> kindOfStackShift;
  const sizeBytes = classBytes(header % classCount);
  const slabWords = slabWordsOf(slabShift);
  const first = windowOfPage(page, slabShift) * slabWords;
  for (let word = first; word < first + slabWords; word++) {
    const kept = keptBits(view, word);
    let live = liveBits(view, word);
    while (live !== 0) {
      const bit = 31 - Math.clz32(live & -live);
      live &= live - 1;
      visit({
        ref: firstRef + (word << 5) + bit,
        kind,
        tier: 'l1',
        sizeBytes,
        live: true,
        kept: ((kept >>> bit) & 1) === 1,
      });
    }
  }
}
