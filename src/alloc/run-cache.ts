/**
 * Private caches of runs: claimed runs of one owner, a stack for each length up to 32 pages. While a
 * run waits there nobody else can have it, so freeing it costs one compare and exchange, and
 * allocating it again a store: no lock, no search, no change of the page table's structure.
 *
 * Runs of metadata are not cached: they belong at the low end of a segment.
 */

import type { Ref } from '../memory/region.ts';

/** Longest run that is cached. */
export const cachedPagesMax = 32;

/**
 * A stack: its depth, then the references it holds, oldest first.
 * ```
 * word 0 depth │ 1 … 15 references
 * ```
 */
const stackShift = 4;
const depthMax = 15;

/** What an owner may hold back: a share of all pages, and never more than this. */
const shareOfPages = 32;
const heldPagesMax = 4096;

export class RunCache {
  readonly stacks: Int32Array = new Int32Array((cachedPagesMax + 1) << stackShift);
  /** Pages in all stacks, and their bound. */
  pages = 0;
  limitPages = 0;

  /** Bounds the cache by the pages that the region can hand out. */
  fit(dataPages: number): void {
    this.limitPages = Math.min(heldPagesMax, Math.floor(dataPages / shareOfPages));
  }

  /** Whether a run of this length may be pushed. */
  takes(pages: number): boolean {
    return (
      pages <= cachedPagesMax &&
      this.pages + pages <= this.limitPages &&
      (this.stacks[pages << stackShift] as number) < depthMax
    );
  }

  push(ref: Ref, pages: number): void {
    const at = pages << stackShift;
    const depth = (this.stacks[at] as number) + 1;
    this.stacks[at + depth] = ref;
    this.stacks[at] = depth;
    this.pages += pages;
  }

  /** @returns 0 when there is no run of this length */
  pop(pages: number): Ref {
    const at = pages << stackShift;
    const depth = this.stacks[at] as number;
    if (depth === 0) return 0;
    this.stacks[at] = depth - 1;
    this.pages -= pages;
    return this.stacks[at + depth] as Ref;
  }

  /** Takes all runs out. */
  drain(giveBack: (ref: Ref) => void): void {
    for (let pages = 1; pages <= cachedPagesMax; pages++) {
      for (let ref = this.pop(pages); ref !== 0; ref = this.pop(pages)) giveBack(ref);
    }
  }

  /** Visits all runs that wait. */
  forEach(visit: (ref: Ref) => void): void {
    for (let pages = 1; pages <= cachedPagesMax; pages++) {
      const at = pages << stackShift;
      const depth = this.stacks[at] as number;
      for (let cell = 1; cell <= depth; cell++) visit(this.stacks[at + cell] as Ref);
    }
  }
}
