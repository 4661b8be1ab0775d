/**
 * Private caches of runs: claimed runs of one owner, a stack for each length up to 1 MiB. While a
 * run waits there nobody else can have it, so freeing it costs one compare and exchange, and
 * allocating it again a store: no lock, no search, no change of the page table's structure.
 *
 * Runs of metadata are not cached: they belong at the low end of a segment.
 */

import type { Ref } from '../memory/region.ts';
import { exactPagesMax, wholeSteps } from './classes.ts';
import { runPagesLimit } from './layout.ts';

/**
 * A stack: its depth, then the references it holds, oldest first.
 * ```
 * word 0 depth │ 1 … 15 references
 * ```
 */
const stackShift = 4;
const depthMax = 15;
/** Lengths that runs have: each up to 32 pages, then eight per doubling. */
const lengthCount: number = exactPagesMax + 3 * 8;

/** Number of the stack for runs of so many pages, from 1 on; 0 where no runs of that length are made: of an older pool there may be some. */
const stackFor: Int32Array = new Int32Array(runPagesLimit + 1);
for (let pages = 1, stack = 1; pages <= runPagesLimit; pages++) {
  if (pages <= exactPagesMax || wholeSteps(pages) === pages) stackFor[pages] = stack++;
}

/**
 * What an owner may hold back of short runs, and of longer ones: shares of all pages, and never more than this. Few long ones would crowd out
 * many short ones. In small pools, where one run is much, only short ones, and fewer.
 */
const shareOfShort = 16;
const shareOfLong = 16;
const shareOfSmallPool = 32;
const heldPagesMax = 4096;

export class RunCache {
  readonly stacks: Int32Array = new Int32Array((lengthCount + 1) << stackShift);
  #shortPages = 0;
  #longPages = 0;
  #shortLimit = 0;
  #longLimit = 0;

  /** Bounds the cache by the pages that the region can hand out. */
  fit(dataPages: number, isSmallPool: boolean): void {
    const share = (of: number): number => Math.min(heldPagesMax, Math.floor(dataPages / of));
    this.#shortLimit = share(isSmallPool ? shareOfSmallPool : shareOfShort);
    this.#longLimit = isSmallPool ? 0 : share(shareOfLong);
  }

  /** Pages in all stacks. */
  get pages(): number {
    return this.#shortPages + this.#longPages;
  }

  /** Holds a run back. @returns false where there is no room for one of this length: nothing has changed */
  push(ref: Ref, pages: number): boolean {
    if (pages > runPagesLimit) return false;
    const stack = stackFor[pages] as number;
    const at = stack << stackShift;
    const depth = this.stacks[at] as number;
    if (depth === depthMax) return false;
    if (pages <= exactPagesMax) {
      if (this.#shortPages + pages > this.#shortLimit) return false;
      this.#shortPages += pages;
    } else {
      if (this.#longPages + pages > this.#longLimit || stack === 0) return false;
      this.#longPages += pages;
    }
    this.stacks[at + 1 + depth] = ref;
    this.stacks[at] = depth + 1;
    return true;
  }

  /** @returns 0 when there is no run of this length */
  pop(pages: number): Ref {
    const at = (stackFor[pages] as number) << stackShift;
    const depth = this.stacks[at] as number;
    if (depth === 0) return 0;
    this.stacks[at] = depth - 1;
    if (pages <= exactPagesMax) this.#shortPages -= pages;
    else this.#longPages -= pages;
    return this.stacks[at + depth] as Ref;
  }

  /** Takes all runs out. */
  drain(giveBack: (ref: Ref) => void): void {
    for (let pages = runPagesLimit; pages > 0; pages--) {
      if (stackFor[pages] === 0) continue;
      for (let ref = this.pop(pages); ref !== 0; ref = this.pop(pages)) giveBack(ref);
    }
  }

  /** Visits all runs that wait. */
  forEach(visit: (ref: Ref) => void): void {
    for (let at = 0; at < this.stacks.length; at += 1 << stackShift) {
      const depth = this.stacks[at] as number;
      for (let cell = 1; cell <= depth; cell++) visit(this.stacks[at + cell] as Ref);
    }
  }
}
