/**
 * Tips: the slabs of an owner that others have just been through, freeing its blocks. What was freed lately is still in caches, and where blocks go from one
 * thread to another most of a slab comes free at once; an owner that went through its slabs in turn would walk through all of its memory. Of a slab in which
 * only a block or two were freed none is left: more come together in those that wait longest.
 *
 * They stand behind the owner's news, in plain words that anybody writes. Two who write at once may lose one, and a slab may have changed since: an owner
 * looks before it believes, and finds in turn what no tip tells.
 *
 * ```
 * tip  0–7 stack │ 8–30 number of the slab; 0 none
 * ```
 */

import type { Region, Segment } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';
import { countersWord, newsWord } from './counters.ts';
import { nobody, ownerMask, slabOwnerShift, stackMask } from './layout.ts';
import { noSlab } from './slab-lists.ts';
import { slabWordsOf } from './walk.ts';

const tipsWord: number = newsWord + 1;
const tipsMax = 15;
const slabOfTipShift = 8;
/** Which part of a slab's words of bits must have had a first block freed. */
const partWorthShift = 2;

/** Leaves tips for those whose blocks an owner frees. */
export class Tips {
  readonly #control: Words;
  readonly #wordsWorth: number;
  /** Per stack: the slab of it that was freed in last, and in how many of its words; whose it is. */
  readonly #slabs: Int32Array = new Int32Array(stackMask + 1).fill(noSlab);
  readonly #words: Int32Array = new Int32Array(stackMask + 1);
  readonly #owners: Uint8Array = new Uint8Array(stackMask + 1);
  #turn = 0;

  constructor(region: Region) {
    this.#control = (region.segments[0] as Segment).words;
    this.#wordsWorth = slabWordsOf(region.slabShift) >> partWorthShift;
  }

  /** The first block of a word of a slab is freed; of the slab before it, probably, all that will be. */
  passThrough(slab: number, header: number): void {
    const stack = header & stackMask;
    if (slab === this.#slabs[stack]) {
      this.#words[stack] = (this.#words[stack] as number) + 1;
      return;
    }
    if ((this.#words[stack] as number) >= this.#wordsWorth) this.#leave(stack);
    this.#slabs[stack] = slab;
    this.#words[stack] = 1;
    this.#owners[stack] = (header >> slabOwnerShift) & ownerMask;
  }

  #leave(stack: number): void {
    const owner = this.#owners[stack] as number;
    if (owner === nobody) return;
    const tip = ((this.#slabs[stack] as number) << slabOfTipShift) | stack;
    poke(this.#control, countersWord(owner) + tipsWord + this.#turn, tip);
    this.#turn = (this.#turn + 1) % tipsMax;
  }
}

/** A slab that others may have freed blocks of, which may be another's by now; or `noSlab`. */
export function takeTip(counters: Words, stack: number): number {
  for (let word = tipsWord; word < tipsWord + tipsMax; word++) {
    const tip = peek(counters, word);
    if (tip === 0 || (tip & stackMask) !== stack) continue;
    poke(counters, word, 0);
    return tip >> slabOfTipShift;
  }
  return noSlab;
}
