/**
 * L1: slabs of equal blocks, and the private stacks in front of them.
 *
 * There is one stack per kind and class, `stack = kind · 32 + class`, of references on the
 * JavaScript heap. allocate pops, free pushes (pool-allocator.ts); here half a stack at a time
 * moves between a stack and the `free` bitmaps. A slab whose blocks are all free goes back to the
 * page runs, but for one per stack, so that a single block going back and forth does not make and
 * break slabs.
 */

import { fail } from '../errors.ts';
import { granuleShift, type Ref, type Region } from '../memory/region.ts';
import { peek, poke, store, zero } from '../memory/words.ts';
import { classCount, classTable, type ClassTable } from './classes.ts';
import { kinds } from './kind.ts';
import {
  kindOfStackShift,
  packSlab,
  pageGranuleShift,
  slabFreeCount,
  slabHeaderShift,
  stackMask,
} from './layout.ts';
import type { RunSpace } from './runs.ts';
import type { SegmentView } from './segment-view.ts';

export const stackCount: number = kinds.length * classCount;

/**
 * A stack in `stacks`: its depth, the bound of its depth, then the references it holds, oldest
 * first.
 * ```
 * word 0 depth │ 1 limit │ 2 … limit + 1 references │ …
 * ```
 * One array for all: allocate and free look up one view.
 */
export const stackDepth = 0;
export const stackLimit = 1;
export const stackCells = 2;

/**
 * log2 of a stack's words; fewer where slabs are small, so that small pools do not keep much of
 * themselves in stacks.
 */
const stackShiftLarge = 6;
const stackShiftSmall = 4;
const largeSlabShift = 16;

const noSlab = -1;

export class Slabs {
  /** log2 of the distance between stacks in `stacks`. */
  readonly stackShift: number;
  readonly stacks: Int32Array;
  /** Per stack: slabs, and blocks whose free bit is set. */
  readonly slabCounts: Int32Array = new Int32Array(stackCount);
  readonly freeCounts: Int32Array = new Int32Array(stackCount);
  readonly table: ClassTable;

  readonly #runs: RunSpace;
  readonly #owner: number;
  readonly #views: SegmentView[];
  readonly #windowShift: number;
  readonly #segmentWindowShift: number;
  readonly #segmentShift: number;
  /**
   * Slabs with free blocks, a list per stack linked by slab number: segment · windows per segment +
   * window.
   */
  readonly #partial: Int32Array = new Int32Array(stackCount).fill(noSlab);
  /** The one entirely free slab that a stack may keep. */
  readonly #spare: Int32Array = new Int32Array(stackCount).fill(noSlab);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);

  constructor(region: Region, runs: RunSpace, owner: number) {
    this.#runs = runs;
    this.#views = runs.views;
    this.#owner = owner;
    this.#windowShift = region.slabShift - granuleShift;
    this.#segmentWindowShift = region.segmentShift - region.slabShift;
    this.#segmentShift = region.segmentShift - granuleShift;
    this.table = classTable(region.slabShift);
    this.stackShift = region.slabShift >= largeSlabShift ? stackShiftLarge : stackShiftSmall;
    this.stacks = new Int32Array(stackCount << this.stackShift);
    for (let stack = 0; stack < stackCount; stack++) {
      const twoSlabs = 2 * (this.table.blocks[stack % classCount] as number);
      const limit = Math.min((1 << this.stackShift) - stackCells, twoSlabs);
      this.stacks[(stack << this.stackShift) + stackLimit] = limit;
    }
  }

  /** Makes room for the slabs of all segments. */
  coverSegments(): void {
    const slabs = this.#views.length << this.#segmentWindowShift;
    this.#next = grown(this.#next, slabs);
    this.#previous = grown(this.#previous, slabs);
  }

  /**
   * Takes in an existing slab. A window without a header is a slab that a crash left half made:
   * recovery frees it.
   */
  attachSlab(segmentNumber: number, page: number): void {
    const window = (page << pageGranuleShift) >> this.#windowShift;
    const { headers } = this.#views[segmentNumber] as SegmentView;
    const header = peek(headers, window << slabHeaderShift);
    if (header === 0) return;
    const stack = header & stackMask;
    const free = peek(headers, (window << slabHeaderShift) + slabFreeCount);
    this.slabCounts[stack] = (this.slabCounts[stack] as number) + 1;
    this.freeCounts[stack] = (this.freeCounts[stack] as number) + free;
    if (free > 0) this.#link(stack, (segmentNumber << this.#segmentWindowShift) | window);
  }

  /**
   * Fills an empty stack to half from slabs with free blocks, or from a new slab.
   * @returns false when there is no memory: nothing has changed
   */
  refill(stack: number): boolean {
    const want = (this.stacks[(stack << this.stackShift) + stackLimit] as number) >> 1;
    while (this.depth(stack) < want) {
      let slab = this.#partial[stack] as number;
      if (slab === noSlab) {
        if (this.depth(stack) > 0) break;
        slab = this.#create(stack);
        if (slab === noSlab) return false;
      }
      this.#take(stack, slab, want);
    }
    return true;
  }

  /** Moves the `count` oldest blocks of a stack back to their slabs. */
  spill(stack: number, count: number): void {
    const base = stack << this.stackShift;
    const first = base + stackCells;
    const depth = this.depth(stack);
    for (let cell = first; cell < first + count; cell++) {
      this.#putBack(stack, this.stacks[cell] as Ref);
    }
    this.stacks.copyWithin(first, first + count, first + depth);
    this.stacks[base + stackDepth] = depth - count;
  }

  /** Moves the older half of a full stack back. */
  spillHalf(stack: number): void {
    this.spill(stack, (this.stacks[(stack << this.stackShift) + stackLimit] as number) >> 1);
  }

  /** Blocks in a stack. */
  depth(stack: number): number {
    return this.stacks[(stack << this.stackShift) + stackDepth] as number;
  }

  /**
   * Empties all stacks and gives all entirely free slabs back.
   * @returns true when that freed pages
   */
  flush(): boolean {
    const before = this.#runs.freePages;
    for (let stack = 0; stack < stackCount; stack++) {
      if (this.slabCounts[stack] === 0) continue;
      const depth = this.depth(stack);
      if (depth > 0) this.spill(stack, depth);
      const spare = this.#spare[stack] as number;
      if (spare !== noSlab) this.#release(stack, spare);
      this.#spare[stack] = noSlab;
    }
    return this.#runs.freePages !== before;
  }

  /** Live blocks of a stack: what is neither free nor claimed. */
  liveBlocks(stack: number): number {
    const blocks =
      (this.slabCounts[stack] as number) * (this.table.blocks[stack % classCount] as number);
    return blocks - (this.freeCounts[stack] as number) - this.depth(stack);
  }

  #create(stack: number): number {
    const ref = this.#runs.allocateSlab(stack >> kindOfStackShift);
    if (ref === 0) return noSlab;
    const number = ref >> this.#segmentShift;
    const window = (ref & ((1 << this.#segmentShift) - 1)) >> this.#windowShift;
    const { headers, freeRemote, layout, segment } = this.#views[number] as SegmentView;
    const { slabWords, starts, blocks } = this.table;
    const sizeClass = stack % classCount;
    const firstWord = 2 * window * slabWords;
    const firstByte = (layout.liveKeptWord + firstWord) * 4;
    zero(segment.bytes, firstByte, firstByte + slabWords * 8);
    for (let word = 0; word < slabWords; word++) {
      poke(freeRemote, firstWord + 2 * word, starts[sizeClass * slabWords + word] as number);
      poke(freeRemote, firstWord + 2 * word + 1, 0);
    }
    const count = blocks[sizeClass] as number;
    poke(headers, (window << slabHeaderShift) + slabFreeCount, count);
    // From here on references into the slab are looked up in its bitmaps.
    store(headers, window << slabHeaderShift, packSlab(stack, this.#owner));
    const slab = (number << this.#segmentWindowShift) | window;
    this.slabCounts[stack] = (this.slabCounts[stack] as number) + 1;
    this.freeCounts[stack] = (this.freeCounts[stack] as number) + count;
    this.#link(stack, slab);
    return slab;
  }

  #release(stack: number, slab: number): void {
    const number = slab >> this.#segmentWindowShift;
    const window = slab & ((1 << this.#segmentWindowShift) - 1);
    const { headers } = this.#views[number] as SegmentView;
    this.#unlink(stack, slab);
    this.slabCounts[stack] = (this.slabCounts[stack] as number) - 1;
    this.freeCounts[stack] =
      (this.freeCounts[stack] as number) - (this.table.blocks[stack % classCount] as number);
    store(headers, window << slabHeaderShift, 0);
    this.#runs.release(number, (window << this.#windowShift) >> pageGranuleShift);
  }

  /** Claims free blocks of a slab until the stack holds `want`. */
  #take(stack: number, slab: number, want: number): void {
    const number = slab >> this.#segmentWindowShift;
    const window = slab & ((1 << this.#segmentWindowShift) - 1);
    const { headers, freeRemote } = this.#views[number] as SegmentView;
    const { slabWords } = this.table;
    const { stacks } = this;
    const firstRef = (number << this.#segmentShift) | (window << this.#windowShift);
    const firstWord = 2 * window * slabWords;
    const base = stack << this.stackShift;
    const before = this.depth(stack);
    let depth = before;
    for (let word = slabWords - 1; word >= 0 && depth < want; word--) {
      let bits = peek(freeRemote, firstWord + 2 * word);
      if (bits === 0) continue;
      // From high to low, so that pops go through memory upwards.
      while (bits !== 0 && depth < want) {
        const bit = 31 - Math.clz32(bits);
        bits ^= 1 << bit;
        stacks[base + stackCells + depth++] = firstRef + (word << 5) + bit;
      }
      poke(freeRemote, firstWord + 2 * word, bits);
    }
    if (depth === before)
      fail('pool_corrupt', `slab ${slab} counts free blocks and has none; recover() first`);
    stacks[base + stackDepth] = depth;
    this.freeCounts[stack] = (this.freeCounts[stack] as number) - (depth - before);
    const countWord = (window << slabHeaderShift) + slabFreeCount;
    const left = peek(headers, countWord) - (depth - before);
    poke(headers, countWord, left);
    if (this.#spare[stack] === slab) this.#spare[stack] = noSlab;
    if (left === 0) this.#unlink(stack, slab);
  }

  #putBack(stack: number, ref: Ref): void {
    const number = ref >> this.#segmentShift;
    const granule = ref & ((1 << this.#segmentShift) - 1);
    const window = granule >> this.#windowShift;
    const { headers, freeRemote } = this.#views[number] as SegmentView;
    const freeWord = (granule >> 5) << 1;
    poke(freeRemote, freeWord, peek(freeRemote, freeWord) | (1 << (granule & 31)));
    this.freeCounts[stack] = (this.freeCounts[stack] as number) + 1;
    const countWord = (window << slabHeaderShift) + slabFreeCount;
    const count = peek(headers, countWord) + 1;
    poke(headers, countWord, count);
    const slab = (number << this.#segmentWindowShift) | window;
    if (count === 1) this.#link(stack, slab);
    if (count !== this.table.blocks[stack % classCount]) return;
    if (this.#spare[stack] === noSlab) this.#spare[stack] = slab;
    else this.#release(stack, slab);
  }

  #link(stack: number, slab: number): void {
    const head = this.#partial[stack] as number;
    this.#next[slab] = head;
    this.#previous[slab] = noSlab;
    if (head !== noSlab) this.#previous[head] = slab;
    this.#partial[stack] = slab;
  }

  #unlink(stack: number, slab: number): void {
    const next = this.#next[slab] as number;
    const previous = this.#previous[slab] as number;
    if (next !== noSlab) this.#previous[next] = previous;
    if (previous === noSlab) this.#partial[stack] = next;
    else this.#next[previous] = next;
  }
}

function grown(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(length);
  copy.set(array.subarray(0, length));
  return copy;
}
