/**
 * The access clock: recency is counted in accesses of all owners. A word that all of them write at each access would cost each of them a cache
 * miss each time, so every owner counts for itself and tells the others after some; it looks at what they told at each of its own.
 */

import { control, controlByte } from '../memory/layout.ts';
import type { Region, Segment } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';

/** Ticks have 31 bits. */
const tickMask = 0x7fff_ffff;
/** An owner is ahead of what it has told by less than this. */
const leadMax = 16;

const tickWord = (controlByte >>> 2) + control.tick;

export class AccessClock {
  readonly #words: Words;
  /** Of this owner's last access. */
  #tick: number;

  constructor(region: Region) {
    this.#words = (region.segments[0] as Segment).words;
    this.#tick = peek(this.#words, tickWord);
  }

  /** The tick of another access. */
  next(): number {
    const told = peek(this.#words, tickWord);
    const lead = (this.#tick - told) & tickMask;
    const tick = ((lead < leadMax ? this.#tick : told) + 1) & tickMask;
    if (lead === leadMax - 1) poke(this.#words, tickWord, tick);
    this.#tick = tick;
    return tick;
  }

  /** The tick of the most recent access that is known here. */
  get now(): number {
    const told = peek(this.#words, tickWord);
    return ((this.#tick - told) & tickMask) < leadMax ? this.#tick : told;
  }

  /** Accesses since one with that tick. */
  since(tick: number): number {
    const ticks = (this.now - tick) & tickMask;
    return ticks > tickMask - leadMax ? 0 : ticks; // one of an owner who has not told of it yet
  }
}
