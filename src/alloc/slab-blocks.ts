/** The bitmaps of a slab as a whole. */

import { bitCount } from '../base/bits.ts';
import type { Ref } from '../memory/region.ts';
import { load, peek, poke, type Words, zero } from '../memory/words.ts';
import type { ClassTable } from './classes.ts';
import { beginFrees, endFrees } from './counters.ts';
import { bitsWordShift, freeAt, keptAt, liveAt, remoteAt } from './layout.ts';
import type { SegmentView } from './segment-view.ts';

/** Makes all blocks of a slab free, whatever stood there before. */
export function freeAllBlocks(
  { bits, layout, segment }: SegmentView,
  window: number,
  { slabWords, starts }: ClassTable,
  sizeClass: number,
): void {
  const firstWord = (window * slabWords) << bitsWordShift;
  const firstByte = (layout.bitsWord + firstWord) * 4;
  zero(segment.bytes, firstByte, firstByte + (slabWords << (bitsWordShift + 2)));
  for (let word = 0; word < slabWords; word++) {
    const start = starts[sizeClass * slabWords + word] as number;
    if (start !== 0) poke(bits, firstWord + (word << bitsWordShift) + freeAt, start);
  }
}

/** Whether all that is live in an own slab is kept. What is not would be freed with whoever has the slab then, or never. */
export function isPublished({ bits }: SegmentView, window: number, slabWords: number): boolean {
  const first = (window * slabWords) << bitsWordShift;
  for (let word = 0; word < slabWords; word++) {
    const at = first + (word << bitsWordShift);
    const live = peek(bits, at + liveAt) & ~load(bits, at + remoteAt);
    if ((live & ~load(bits, at + keptAt)) !== 0) return false;
  }
  return true;
}

/**
 * Frees live blocks of 32 granules, by one store, and counts them.
 * @param firstRef of the 32
 * @param blocks which of them, by the granules that they begin with
 * @returns how many
 */
export const freeTogether = (
  counters: Words,
  bits: Words,
  at: number,
  firstRef: Ref,
  blocks: number,
): number => {
  const count = bitCount(blocks);
  if (count === 0) return 0;
  beginFrees(counters, firstRef, blocks);
  poke(bits, at + liveAt, peek(bits, at + liveAt) & ~blocks);
  endFrees(counters, count);
  return count;
};
