/** The bitmaps of a slab that is being made. */

import { poke, zero } from '../memory/words.ts';
import type { ClassTable } from './classes.ts';
import { bitsWordShift, freeAt } from './layout.ts';
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
