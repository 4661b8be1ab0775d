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

/**
 * Moves free blocks of 32 granules into cells of a stack, from high to low, so that pops go through memory upwards.
 * @param firstRef of the 32
 * @returns those for which there were not cells enough
 */
export const claimBlocks = (
  stacks: Int32Array,
  firstCell: number,
  cells: number,
  firstRef: Ref,
  free: number,
): number => {
  const last = (firstRef + 31) | 0;
  // All of them: what is left of a slab that others have freed whole.
  if (free === -1 && cells >= 32) {
    for (let i = 0; i < 32; i++) stacks[firstCell + i] = last - i;
    return 0;
  }
  let left = free;
  for (let i = 0; i < cells && left !== 0; i++) {
    const zeros = Math.clz32(left);
    left ^= 0x8000_0000 >>> zeros;
    stacks[firstCell + i] = last - zeros;
  }
  return left;
};
