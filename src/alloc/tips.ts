/**
 * Tips: the slabs of an owner that others have just been through, freeing its blocks. What was freed last is still in caches, and where blocks go from one
 * thread to another most of a slab comes free at once; an owner that went through its slabs in turn would walk through all of its memory.
 *
 * They stand behind the owner's news, in plain words. Two who write at once may lose one, and a slab may have changed since: an owner looks before it
 * believes, and finds in turn what no tip tells.
 *
 * ```
 * tip  0–6 stack, low bits │ 7–31 number of the slab; 0 none
 * ```
 */

import type { Region, Segment } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';
import { countersWord, newsWord } from './counters.ts';
import { nobody, ownerMask, slabOwnerShift } from './layout.ts';
import { noSlab } from './slab-lists.ts';

const tipsWord: number = newsWord + 1;
const tipsMax = 15;
const slabOfTipShift = 7;
const stackOfTip = 127;

/** Leaves tips for those whose blocks an owner frees. */
export class Tips {
  readonly #control: Words;
  #slab: number = noSlab;
  #header = 0;
  #turn = 0;

  constructor(region: Region) {
    this.#control = (region.segments[0] as Segment).words;
  }

  /** Blocks of this slab are freed now: those of the one before it, probably, have been. */
  passThrough(slab: number, header: number): void {
    if (slab === this.#slab) return;
    const owner = (this.#header >> slabOwnerShift) & ownerMask;
    if (this.#slab !== noSlab && owner !== nobody) {
      const tip = (this.#slab << slabOfTipShift) | (this.#header & stackOfTip);
      poke(this.#control, countersWord(owner) + tipsWord + this.#turn, tip);
      this.#turn = (this.#turn + 1) % tipsMax;
    }
    this.#slab = slab;
    this.#header = header;
  }
}

/** A slab that others may have freed blocks of, which may be another's by now; or `noSlab`. */
export function takeTip(counters: Words, stack: number): number {
  for (let word = tipsWord; word < tipsWord + tipsMax; word++) {
    const tip = peek(counters, word);
    if (tip === 0 || ((tip ^ stack) & stackOfTip) !== 0) continue;
    poke(counters, word, 0);
    return tip >>> slabOfTipShift;
  }
  return noSlab;
}
