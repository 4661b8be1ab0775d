/**
 * L1: slabs of equal blocks that belong to one owner each, and the private stacks in front of them.
 *
 * There is one stack per kind and class, `stack = kind · 32 + class`, of references on the
 * JavaScript heap. allocate pops, free pushes (pool-allocator.ts); here about half a stack at a time
 * moves between a stack and the `free` bitmaps. A slab whose blocks are all free goes back to the
 * page runs, but for one per stack, so that a single block going back and forth does not make and
 * break slabs.
 *
 * Others free a block of this owner by its remote bit (remote.ts); the owner collects. A refill that
 * finds no slab with free blocks takes one that others have just been through (tips.ts), or looks at
 * the full ones that wait longest, a few at a time: if none of them has news, fewer than about one
 * in as many has, so little is lost by making a new slab.
 *
 * Full slabs are left to nobody as others are made, and when memory has run out. Who frees a block of one takes it in: what is evicted is memory for who does it.
 */

import { bitCount } from '../base/bits.ts';
import { fail } from '../errors.ts';
import { granuleShift, type Ref, type Region } from '../memory/region.ts';
import { compareExchange, load, peek, poke, store } from '../memory/words.ts';
import { classCount, classTable, type ClassTable, stackCount } from './classes.ts';
import { newsWord } from './counters.ts';
import {
  bitsWordShift,
  freeAt,
  kindOfStackShift,
  nobody,
  packSlab,
  pageGranuleShift,
  slabFreeCount,
  slabHeaderShift,
  slabNews,
} from './layout.ts';
import { Orphans } from './orphans.ts';
import { collectNews } from './remote.ts';
import type { RunOwner, RunSpace } from './runs.ts';
import type { SegmentView } from './segment-view.ts';
import { claimBlocks, freeAllBlocks, isPublished } from './slab-blocks.ts';
import { noSlab, SlabLists } from './slab-lists.ts';
import { Stacks } from './stacks.ts';
import { takeTip } from './tips.ts';

/** Full slabs that a refill looks at, and that are left for each that is made. */
const probesMax = 16;
const leftForNew = 2;

export class Slabs {
  readonly stacks: Stacks;
  /** Per stack: slabs, and blocks whose free bit is set. */
  readonly slabCounts: Int32Array = new Int32Array(stackCount);
  readonly freeCounts: Int32Array = new Int32Array(stackCount);
  readonly table: ClassTable;
  readonly lists: SlabLists = new SlabLists(stackCount);

  readonly #runs: RunSpace;
  readonly #owner: RunOwner;
  readonly #views: SegmentView[];
  readonly #orphans: Orphans;
  readonly #windowShift: number;
  readonly #segmentWindowShift: number;
  /** The one entirely free slab that a stack may keep. */
  readonly #spare: Int32Array = new Int32Array(stackCount).fill(noSlab);

  constructor(region: Region, runs: RunSpace, owner: RunOwner) {
    this.#runs = runs;
    this.#views = runs.views;
    this.#owner = owner;
    this.#orphans = new Orphans(region, runs);
    this.#windowShift = region.slabShift - granuleShift;
    this.#segmentWindowShift = region.segmentShift - region.slabShift;
    this.table = classTable(region.slabShift);
    this.stacks = new Stacks(this.table, region.slabShift);
    this.coverSegments();
  }

  /** Makes room for the slabs of all segments. */
  coverSegments(): void {
    this.lists.cover(this.#views.length << this.#segmentWindowShift);
  }

  /**
   * Fills an empty stack to one more than half, which is a word of bitmaps where stacks are long: from slabs
   * with free blocks, what others have freed, slabs of nobody, or a new slab.
   * @returns false when there is no memory: nothing has changed
   */
  refill(stack: number): boolean {
    const want = (this.stacks.limit(stack) >> 1) + 1;
    while (this.stacks.depth(stack) < want) {
      let slab = this.lists.partial[stack] as number;
      if (slab === noSlab) {
        if (this.stacks.depth(stack) > 0) break;
        slab = this.#find(stack);
        if (slab === noSlab) return false;
      }
      this.#take(stack, slab, want);
    }
    return true;
  }

  /** Moves the `count` oldest blocks of a stack back to their slabs. */
  spill(stack: number, count: number): void {
    const first = this.stacks.bottom(stack) + 1;
    const depth = this.stacks.depth(stack);
    const { cells } = this.stacks;
    for (let cell = first; cell < first + count; cell++) this.#putBack(stack, cells[cell] as Ref);
    cells.copyWithin(first, first + count, first + depth);
    this.stacks.setDepth(stack, depth - count);
  }

  /** Moves the older half of a full stack back. @throws pool_corrupt */
  spillHalf(stack: number): void {
    const half = this.stacks.limit(stack) >> 1;
    if (half === 0) fail('pool_corrupt', `a slab is of stack ${stack}, which there is not`);
    this.spill(stack, half);
  }

  /** Empties all stacks, takes in what others have freed, gives entirely free slabs back. */
  flush(): void {
    const hasNews = load(this.#owner.counters, newsWord) !== 0;
    if (hasNews) store(this.#owner.counters, newsWord, 0); // before the look: news from now on set it again
    for (let stack = 0; stack < stackCount; stack++) {
      if (this.slabCounts[stack] === 0) continue;
      const depth = this.stacks.depth(stack);
      if (depth > 0) this.spill(stack, depth);
      if (hasNews) {
        for (const slab of this.lists.all(stack)) this.collect(stack, slab);
      }
      const spare = this.#spare[stack] as number;
      if (spare !== noSlab) this.#release(stack, spare);
      this.#spare[stack] = noSlab;
    }
  }

  /** Takes in what nobody owns. */
  adoptAll(): void {
    this.#orphans.adoptAll(this);
  }

  /** Leaves slabs, all or full ones, to whoever needs them. After `flush`: no block may be claimed. */
  share(which: 'all' | 'full'): void {
    for (let stack = 0; stack < stackCount; stack++) this.#share(stack, this.lists[which](stack));
  }

  /** Leaves all slabs to whoever needs them, for good. After `flush`. */
  orphanAll(): void {
    for (let stack = 0; stack < stackCount; stack++) {
      if (this.slabCounts[stack] === 0) continue;
      for (const slab of this.lists.all(stack)) this.#orphans.leave(stack, slab);
      this.slabCounts[stack] = 0;
      this.freeCounts[stack] = 0;
      this.#spare[stack] = noSlab;
    }
    this.lists.clear();
  }

  /** Takes in a slab of nobody, unless another owner is faster. @returns whether it is ours now */
  adopt(stack: number, slab: number): boolean {
    const view = this.#view(slab);
    const window = this.#window(slab);
    const at = window << slabHeaderShift;
    const orphan = packSlab(stack, nobody);
    const own = packSlab(stack, this.#owner.slot);
    if (compareExchange(view.headers, at, orphan, own) !== orphan) return false;
    view.table.setOwner((window << this.#windowShift) >> pageGranuleShift, this.#owner.slot);
    const free = peek(view.headers, at + slabFreeCount);
    this.slabCounts[stack] = (this.slabCounts[stack] as number) + 1;
    this.freeCounts[stack] = (this.freeCounts[stack] as number) + free;
    if (free > 0) this.lists.addPartial(stack, slab);
    else this.lists.addFull(stack, slab);
    if (free === this.table.blocks[stack % classCount]) this.#idle(stack, slab);
    else this.collect(stack, slab);
    return true;
  }

  /** Takes in what others have freed of a slab. @returns whether there was anything */
  collect(stack: number, slab: number): boolean {
    const view = this.#view(slab);
    const window = this.#window(slab);
    const at = window << slabHeaderShift;
    if (peek(view.headers, at + slabNews) === 0) return false;
    const freed = collectNews(
      view,
      window,
      this.table.slabWords,
      slab << this.#windowShift,
      this.#owner,
    );
    if (freed === 0) return false;
    this.freeCounts[stack] = (this.freeCounts[stack] as number) + freed;
    const count = peek(view.headers, at + slabFreeCount) + freed;
    poke(view.headers, at + slabFreeCount, count);
    if (count === freed) {
      this.lists.removeFull(stack, slab);
      this.lists.addPartial(stack, slab);
    }
    if (count === this.table.blocks[stack % classCount]) this.#idle(stack, slab);
    return true;
  }

  /** A slab with free blocks for a stack that has none. */
  #find(stack: number): number {
    const tip = takeTip(this.#owner.counters, stack);
    if (tip !== noSlab && this.#isOwn(stack, tip) && this.collect(stack, tip)) return tip;
    for (let probe = 0; probe < probesMax; probe++) {
      const slab = this.lists.turnFull(stack);
      if (slab === noSlab) break;
      if (this.collect(stack, slab)) return this.lists.partial[stack] as number;
    }
    if (this.#orphans.adopt(stack, this)) return this.lists.partial[stack] as number;
    const slab = this.#create(stack);
    if (slab !== noSlab) this.#share(stack, this.lists.full(stack, leftForNew));
    return slab;
  }

  /** Takes in the slab of nobody that has this block. @returns whether it is ours now */
  adoptBlock(stack: number, ref: Ref): boolean {
    return this.adopt(stack, ref >> this.#windowShift);
  }

  /** Leaves slabs of an empty stack, but those with blocks that were never published: these go with their owner. */
  #share(stack: number, slabs: readonly number[]): void {
    for (const slab of slabs) {
      const [view, window] = [this.#view(slab), this.#window(slab)];
      const free = peek(view.headers, (window << slabHeaderShift) + slabFreeCount);
      if (free > 0) this.lists.removePartial(stack, slab);
      else this.lists.removeFull(stack, slab);
      if (isPublished(view, window, this.table.slabWords)) {
        this.slabCounts[stack] = (this.slabCounts[stack] as number) - 1;
        this.freeCounts[stack] = (this.freeCounts[stack] as number) - free;
        this.#orphans.leave(stack, slab);
      } else if (free > 0) this.lists.addPartial(stack, slab);
      else this.lists.addFull(stack, slab);
    }
  }

  #view(slab: number): SegmentView {
    return this.#views[slab >> this.#segmentWindowShift] as SegmentView;
  }

  #isOwn(stack: number, slab: number): boolean {
    const headers = this.#views[slab >> this.#segmentWindowShift]?.headers;
    const at = this.#window(slab) << slabHeaderShift;
    return headers !== undefined && peek(headers, at) === packSlab(stack, this.#owner.slot);
  }

  #window(slab: number): number {
    return slab & ((1 << this.#segmentWindowShift) - 1);
  }

  #create(stack: number): number {
    const ref = this.#runs.allocateSlab(stack >> kindOfStackShift);
    if (ref === 0) return noSlab;
    const slab = ref >> this.#windowShift;
    const [view, window] = [this.#view(slab), this.#window(slab)];
    const { headers } = view;
    const sizeClass = stack % classCount;
    freeAllBlocks(view, window, this.table, sizeClass);
    const count = this.table.blocks[sizeClass] as number;
    const at = window << slabHeaderShift;
    poke(headers, at + slabFreeCount, count);
    poke(headers, at + slabNews, 0);
    // From here on references into the slab are looked up in its bitmaps.
    store(headers, at, packSlab(stack, this.#owner.slot));
    this.slabCounts[stack] = (this.slabCounts[stack] as number) + 1;
    this.freeCounts[stack] = (this.freeCounts[stack] as number) + count;
    this.lists.addPartial(stack, slab);
    return slab;
  }

  #release(stack: number, slab: number): void {
    const window = this.#window(slab);
    this.lists.removePartial(stack, slab);
    this.slabCounts[stack] = (this.slabCounts[stack] as number) - 1;
    this.freeCounts[stack] =
      (this.freeCounts[stack] as number) - (this.table.blocks[stack % classCount] as number);
    store(this.#view(slab).headers, window << slabHeaderShift, 0);
    const page = (window << this.#windowShift) >> pageGranuleShift;
    this.#runs.release(slab >> this.#segmentWindowShift, page);
  }

  /** All blocks of the slab are free: it is kept as the stack's spare, or given back. */
  #idle(stack: number, slab: number): void {
    if (this.#spare[stack] === slab) return;
    if (this.#spare[stack] === noSlab) this.#spare[stack] = slab;
    else this.#release(stack, slab);
  }

  /** Claims free blocks of a slab until the stack holds `want`. */
  #take(stack: number, slab: number, want: number): void {
    const window = this.#window(slab);
    const { headers, bits } = this.#view(slab);
    const { slabWords } = this.table;
    const { cells } = this.stacks;
    const firstRef = slab << this.#windowShift;
    const firstWord = (window * slabWords) << bitsWordShift;
    const first = this.stacks.bottom(stack) + 1;
    const before = this.stacks.depth(stack);
    let depth = before;
    for (let word = slabWords - 1; word >= 0 && depth < want; word--) {
      const at = firstWord + (word << bitsWordShift);
      const free = peek(bits, at + freeAt);
      if (free === 0) continue;
      const left = claimBlocks(cells, first + depth, want - depth, firstRef + (word << 5), free);
      poke(bits, at + freeAt, left);
      depth += bitCount(free ^ left);
    }
    if (depth === before)
      fail('pool_corrupt', `slab ${slab} counts free blocks and has none; recover() first`);
    this.stacks.setDepth(stack, depth);
    this.freeCounts[stack] = (this.freeCounts[stack] as number) - (depth - before);
    const countWord = (window << slabHeaderShift) + slabFreeCount;
    const left = peek(headers, countWord) - (depth - before);
    poke(headers, countWord, left);
    if (this.#spare[stack] === slab) this.#spare[stack] = noSlab;
    if (left > 0) return;
    this.lists.removePartial(stack, slab);
    this.lists.addFull(stack, slab);
  }

  #putBack(stack: number, ref: Ref): void {
    const slab = ref >> this.#windowShift;
    const { headers, bits } = this.#view(slab);
    const window = this.#window(slab);
    const granule = (window << this.#windowShift) | (ref & ((1 << this.#windowShift) - 1));
    const at = ((granule >> 5) << bitsWordShift) + freeAt;
    poke(bits, at, peek(bits, at) | (1 << (granule & 31)));
    this.freeCounts[stack] = (this.freeCounts[stack] as number) + 1;
    const countWord = (window << slabHeaderShift) + slabFreeCount;
    const count = peek(headers, countWord) + 1;
    poke(headers, countWord, count);
    if (count === 1) {
      this.lists.removeFull(stack, slab);
      this.lists.addPartial(stack, slab);
    }
    if (count === this.table.blocks[stack % classCount]) this.#idle(stack, slab);
  }
}
