/**
 * Slabs of nobody: their owners left or died. A bit per stack in the control page says that there may
 * be some with free blocks; a refill looks for them before it makes a new slab.
 */

import type { Region, Segment } from '../memory/region.ts';
import { and, load, or, peek, store, type Words } from '../memory/words.ts';
import { stackCount } from './classes.ts';
import {
  allocControl,
  nobody,
  ownerMask,
  packSlab,
  slabFreeCount,
  slabHeaderShift,
  slabNews,
  slabOwnerShift,
  stackMask,
} from './layout.ts';
import { announceOrphan } from './remote.ts';
import type { RunSpace } from './runs.ts';
import type { SegmentView } from './segment-view.ts';
import { noSlab } from './slab-lists.ts';
import type { Slabs } from './slabs.ts';

const orphanWords: number = Math.ceil(stackCount / 32);

export class Orphans {
  readonly #region: Region;
  readonly #runs: RunSpace;
  readonly #views: readonly SegmentView[];
  readonly #control: Words;
  readonly #segmentWindowShift: number;
  /** Where the last look for each stack ended. */
  readonly #cursors: Int32Array = new Int32Array(stackCount);

  constructor(region: Region, runs: RunSpace) {
    this.#region = region;
    this.#runs = runs;
    this.#views = runs.views;
    this.#control = (region.segments[0] as Segment).words;
    this.#segmentWindowShift = region.segmentShift - region.slabShift;
  }

  /** Leaves a slab of which no block is claimed to whoever needs it. */
  leave(stack: number, slab: number): void {
    const { headers } = this.#views[slab >> this.#segmentWindowShift] as SegmentView;
    const at = (slab & ((1 << this.#segmentWindowShift) - 1)) << slabHeaderShift;
    store(headers, at, packSlab(stack, nobody));
    announceOrphan(this.#region, headers, at, stack);
  }

  /** Takes in a slab with free blocks. @returns false when there is none */
  adopt(stack: number, slabs: Slabs): boolean {
    const word = allocControl.orphans + (stack >> 5);
    const bit = 1 << (stack & 31);
    if ((load(this.#control, word) & bit) === 0) return false;
    and(this.#control, word, ~bit); // before the look: whoever leaves a slab from now on sets it again
    this.#runs.follow(); // after it: a slab of which the bit told is in a segment that we know then
    const total = this.#views.length << this.#segmentWindowShift;
    const first = this.#cursors[stack] as number;
    for (let step = 0; step < total; step++) {
      const slab = (first + step) % total;
      if (!this.#isWorth(slab, packSlab(stack, nobody)) || !slabs.adopt(stack, slab)) continue;
      if (slabs.lists.partial[stack] === noSlab) continue;
      this.#cursors[stack] = (slab + 1) % total;
      or(this.#control, word, bit); // there may be more
      return true;
    }
    return false;
  }

  /** Takes in all slabs of nobody that have free blocks, of all stacks. */
  adoptAll(slabs: Slabs): void {
    let any = 0;
    for (let word = 0; word < orphanWords; word++) {
      const at = allocControl.orphans + word;
      if (load(this.#control, at) !== 0) any |= and(this.#control, at, 0);
    }
    if (any === 0) return;
    this.#runs.follow();
    const total = this.#views.length << this.#segmentWindowShift;
    for (let slab = 0; slab < total; slab++) {
      const header = this.#headerOf(slab);
      if (header === 0 || ((header >> slabOwnerShift) & ownerMask) !== nobody) continue;
      if (this.#isWorth(slab, header)) slabs.adopt(header & stackMask, slab);
    }
  }

  #headerOf(slab: number): number {
    const { headers, layout } = this.#views[slab >> this.#segmentWindowShift] as SegmentView;
    const window = slab & ((1 << this.#segmentWindowShift) - 1);
    return window < layout.windows ? peek(headers, window << slabHeaderShift) : 0;
  }

  /** Whether a slab has this header, and free blocks or blocks to take back. */
  #isWorth(slab: number, header: number): boolean {
    if (this.#headerOf(slab) !== header) return false;
    const { headers } = this.#views[slab >> this.#segmentWindowShift] as SegmentView;
    const at = (slab & ((1 << this.#segmentWindowShift) - 1)) << slabHeaderShift;
    return peek(headers, at + slabFreeCount) > 0 || peek(headers, at + slabNews) !== 0;
  }
}
