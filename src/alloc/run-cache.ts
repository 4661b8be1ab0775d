/**
 * Private caches of runs: claimed runs of one owner, a stack for each length up to 1 MiB. While a
 * run waits there nobody else can have it, so freeing it costs one compare and exchange, and
 * allocating it again a store: no lock, no search, no change of the page table's structure. Nor is a
 * run cut to the length that is asked for: it may be some longer.
 *
 * Runs of metadata are not cached: they belong at the low end of a segment.
 */

import type { Ref } from '../memory/region.ts';
import { exactPagesMax, wholeSteps } from './classes.ts';
import { runPagesLimit } from './layout.ts';

/**
 * A stack: its depth, then the references it holds, oldest first.
 * ```
 * word 0 depth │ 1 … 31 references
 * ```
 */
const stackShift = 5;
const depthMax = 31;
/** Lengths that runs have: each up to 32 pages, then eight per doubling. */
const lengthCount: number = exactPagesMax + 3 * 8;

/** Lengths that a request for one of the longer runs goes up where none of its own waits. */
const stepsUpMax = 2;

/** Number of the stack for runs of so many pages, from 1 on; 0 where no runs of that length are made: of an older pool there may be some. */
const stackFor: Int32Array = new Int32Array(runPagesLimit + 1);
/** Pages of the runs in a stack. */
const pagesIn: Int32Array = new Int32Array(lengthCount + 1);
for (let pages = 1, stack = 1; pages <= runPagesLimit; pages++) {
  if (pages > exactPagesMax && wholeSteps(pages) !== pages) continue;
  pagesIn[stack] = pages;
  stackFor[pages] = stack++;
}

/**
 * What an owner may hold back of short runs, and of longer ones: shares of all pages, and never more than this. Few long ones would crowd out
 * many short ones. What an owner holds that does nothing is lost to the others: of longer runs each holds no more than an equal share of a quarter, among
 * the owners that there were when it last looked; one that has done nothing since keeps what it held. In small pools, where one run is much, only short
 * ones, and fewer.
 */
const shareOfShort = 16;
const shareOfLong = 8;
const shareOfAllLong = 4;
const shareOfSmallPool = 32;
const shortPagesMax = 4096;
const longPagesMax = 8192;

/** Memory is plenty while no more of it is in use. */
const plentyShare = 0.5;
/** Runs that an owner makes between two looks at that. A power of two. */
const runsPerLook = 16;

export class RunCache {
  readonly stacks: Int32Array = new Int32Array((lengthCount + 1) << stackShift);
  /** Pages of the run that was taken out last: its head, which has them too, is far away. */
  poppedPages = 0;
  /** Whether a longer request may get a run that is longer still. Where memory is short, such runs are to be given back, for who makes what fits of them. */
  mayBeLonger = true;
  #runsMade = 0;
  #shortPages = 0;
  #longPages = 0;
  #shortLimit = 0;
  #longLimit = 0;

  /** Bounds the cache by the pages that the region can hand out, and by how many owners do so. */
  fit(dataPages: number, owners: number, isSmallPool: boolean): void {
    const short = Math.floor(dataPages / (isSmallPool ? shareOfSmallPool : shareOfShort));
    const long = Math.floor(dataPages / Math.max(shareOfLong, shareOfAllLong * owners));
    this.#shortLimit = Math.min(shortPagesMax, short);
    this.#longLimit = isSmallPool ? 0 : Math.min(longPagesMax, long);
  }

  /** Counts a run that was made. @returns whether to `look` how full memory is by now */
  isLookDue(): boolean {
    this.#runsMade = (this.#runsMade + 1) & (runsPerLook - 1);
    return this.#runsMade === 0;
  }

  look(usedPages: number, dataPages: number): void {
    this.mayBeLonger = usedPages <= plentyShare * dataPages;
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

  /**
   * Takes a run of this length out. Where the length is one of few, of which few are held, so that of one length there often is none, the run may be of the
   * next two lengths, at most a quarter more: while memory is plenty.
   * @param pages a length that runs have
   * @returns 0 when there is none; its pages are `poppedPages`
   */
  pop(pages: number): Ref {
    let stack = stackFor[pages] as number;
    let steps = pages > exactPagesMax && this.mayBeLonger ? stepsUpMax : 0;
    let depth = this.stacks[stack << stackShift] as number;
    for (; depth === 0; steps--) {
      if (steps === 0 || stack === lengthCount) return 0;
      stack++;
      depth = this.stacks[stack << stackShift] as number;
    }
    const at = stack << stackShift;
    this.stacks[at] = depth - 1;
    const popped = pagesIn[stack] as number;
    if (pages <= exactPagesMax) this.#shortPages -= popped;
    else this.#longPages -= popped;
    this.poppedPages = popped;
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
