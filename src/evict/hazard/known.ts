/**
 * Blocks that are known by key: those in the cache and *ghosts*, which were there. Each belongs to the group of blocks that it was last used with.
 *
 * Tables grow with what is known, up to places and ghosts and what running requests ask for; then nothing is allocated.
 */

import { noPlace } from '../api.ts';
import { grown } from '../../base/grown.ts';

export const none = -1;

/** Ghosts that are remembered: so many times the places, and not fewer or more than these. */
const ghostsPerPlace = 8;
const ghostsMin = 65_536;
const ghostsMax = 4_194_304;
const firstBlocks = 1024;

export function ghostLimit(places: number): number {
  return Math.min(ghostsMax, Math.max(ghostsMin, ghostsPerPlace * places));
}

export class KnownBlocks {
  keyLow: Int32Array = new Int32Array(firstBlocks);
  keyHigh: Int32Array = new Int32Array(firstBlocks);
  group: Int32Array = new Int32Array(firstBlocks);
  /** Requests that used it. */
  uses: Int32Array = new Int32Array(firstBlocks);
  /** Distinct blocks seen to extend it. */
  children: Int32Array = new Int32Array(firstBlocks);
  depth: Int32Array = new Int32Array(firstBlocks);
  /** Where it lies, or noPlace for a ghost. */
  place: Int32Array = new Int32Array(firstBlocks);
  /** Neighbours among ghosts, the oldest first; of a free slot, the next free one. */
  #next = new Int32Array(firstBlocks);
  #previous = new Int32Array(firstBlocks);
  /** Open addressing: block + 1, 0 for empty. */
  #slots = new Int32Array(2 * firstBlocks);
  #used = 0;
  #free = none;
  #oldest = none;
  #newest = none;
  ghosts = 0;
  readonly #ghostLimit: number;

  constructor(places: number) {
    this.#ghostLimit = ghostLimit(places);
  }

  /** The block with that key, or none. */
  find(low: number, high: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = home(low, high, mask); ; slot = (slot + 1) & mask) {
      const block = (this.#slots[slot] as number) - 1;
      if (block < 0) return none;
      if (this.keyLow[block] === low && this.keyHigh[block] === high) return block;
    }
  }

  /** A ghost that is not in the list of ghosts yet: `remember` or `settle` it. */
  add(low: number, high: number, depth: number): number {
    const block = this.#take();
    this.keyLow[block] = low;
    this.keyHigh[block] = high;
    this.group[block] = none;
    this.uses[block] = 0;
    this.children[block] = 0;
    this.depth[block] = depth;
    this.place[block] = noPlace;
    const mask = this.#slots.length - 1;
    let slot = home(low, high, mask);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = block + 1;
    this.#link(block);
    return block;
  }

  /** A ghost is in a place now. */
  settle(block: number, place: number): void {
    if (this.place[block] === noPlace) this.#unlink(block);
    this.place[block] = place;
  }

  /** A block is a ghost now, the newest. */
  remember(block: number): void {
    this.place[block] = noPlace;
    this.#link(block);
  }

  /** A ghost that was used is the newest. */
  renew(block: number): void {
    this.#unlink(block);
    this.#link(block);
  }

  /** The ghost to forget, or none as long as there are not too many. */
  surplus(): number {
    return this.ghosts > this.#ghostLimit ? this.#oldest : none;
  }

  /** Forgets a ghost. */
  forget(block: number): void {
    this.#unlink(block);
    this.#removeSlot(block);
    this.#next[block] = this.#free;
    this.#free = block;
  }

  reset(): void {
    this.#slots.fill(0);
    this.#used = 0;
    this.#free = none;
    this.#oldest = none;
    this.#newest = none;
    this.ghosts = 0;
  }

  #take(): number {
    if (this.#free !== none) {
      const block = this.#free;
      this.#free = this.#next[block] as number;
      return block;
    }
    if (this.#used === this.keyLow.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const count = 2 * this.keyLow.length;
    this.keyLow = grown(this.keyLow, count);
    this.keyHigh = grown(this.keyHigh, count);
    this.group = grown(this.group, count);
    this.uses = grown(this.uses, count);
    this.children = grown(this.children, count);
    this.depth = grown(this.depth, count);
    this.place = grown(this.place, count);
    this.#next = grown(this.#next, count);
    this.#previous = grown(this.#previous, count);
    const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * count)));
    const mask = slots.length - 1;
    for (const entry of this.#slots) {
      if (entry === 0) continue;
      let slot = home(this.keyLow[entry - 1] as number, this.keyHigh[entry - 1] as number, mask);
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
  }

  /** Moves what follows up, so that no probe ends too early. */
  #removeSlot(block: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = home(this.keyLow[block] as number, this.keyHigh[block] as number, mask);
    while (slots[hole] !== block + 1) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const other = (slots[slot] as number) - 1;
      const from = home(this.keyLow[other] as number, this.keyHigh[other] as number, mask);
      if (((slot - from) & mask) < ((slot - hole) & mask)) continue;
      slots[hole] = other + 1;
      hole = slot;
    }
    slots[hole] = 0;
  }

  #link(block: number): void {
    this.#previous[block] = this.#newest;
    this.#next[block] = none;
    if (this.#newest === none) this.#oldest = block;
    else this.#next[this.#newest] = block;
    this.#newest = block;
    this.ghosts++;
  }

  #unlink(block: number): void {
    const previous = this.#previous[block] as number;
    const next = this.#next[block] as number;
    if (previous === none) this.#oldest = next;
    else this.#next[previous] = next;
    if (next === none) this.#newest = previous;
    else this.#previous[next] = previous;
    this.ghosts--;
  }
}

function home(low: number, high: number, mask: number): number {
  return (Math.imul(low ^ (high << 7), 0x9e37_79b1) >>> 3) & mask;
}
