/**
 * One segment's page table: reads descriptors, and changes them so that a crash between any two
 * accesses leaves a table that can be walked from head to head and repaired.
 *
 * A change commits with one store of a head; everything written before lies in the interior of a
 * run, where nobody looks, and everything after is repair work that recovery can do as well (tails,
 * stale heads in interiors, unmerged neighbours).
 */

import { fail } from '../errors.ts';
import type { Segment } from '../memory/region.ts';
import { compareExchange, load, peek, poke, zero, type Words } from '../memory/words.ts';
import {
  absenceOf,
  binCount,
  binsWord,
  headLengthShift,
  jointAbsence,
  lengthMask,
  lengthOf,
  nobody,
  ownerMask,
  packFree,
  packHead,
  pendingGroupsWord,
  type SegmentLayout,
  stateExtent,
  stateFree,
  stateInterior,
  stateMetadata,
  stateOf,
  tailShift,
} from './layout.ts';

export class PageTable {
  readonly layout: SegmentLayout;
  readonly #words: Words;
  readonly #base: number;

  constructor(words: Words, layout: SegmentLayout) {
    this.layout = layout;
    this.#words = words;
    this.#base = layout.pageTableWord;
  }

  /** Word 0 of a page's descriptor. */
  head(page: number): number {
    return peek(this.#words, this.#base + 2 * page);
  }

  setHead(page: number, head: number): void {
    poke(this.#words, this.#base + 2 * page, head);
  }

  /** A head that other owners may be changing. */
  loadHead(page: number): number {
    return load(this.#words, this.#base + 2 * page);
  }

  /** Changes the head of a live run. @returns false when it is no longer `expected` */
  swapHead(page: number, expected: number, head: number): boolean {
    return compareExchange(this.#words, this.#base + 2 * page, expected, head) === expected;
  }

  owner(page: number): number {
    return peek(this.#words, this.#base + 2 * page + 1) & ownerMask;
  }

  /**
   * Labels a run with an owner. Not a plain store: should the caller be mistaken about the run, its
   * page may be the end of another by now, whose boundary tag must not be lost.
   */
  setOwner(page: number, owner: number): void {
    while (!this.swapOwner(page, this.owner(page), owner));
  }

  /** The same, unless the label is not `expected` any more. */
  swapOwner(page: number, expected: number, owner: number): boolean {
    if (expected === owner) return true;
    const at = this.#base + 2 * page + 1;
    const before = load(this.#words, at);
    if ((before & ownerMask) !== expected) return false;
    return compareExchange(this.#words, at, before, (before & ~ownerMask) | owner) === before;
  }

  /** The length in the boundary tag of the run that ends with `page`. */
  tail(page: number): number {
    return (peek(this.#words, this.#base + 2 * page + 1) >> tailShift) & lengthMask;
  }

  /** Writes the owner into a run's first page and the tail into its last. */
  setEnds(page: number, pages: number, owner: number): void {
    if (pages === 1) poke(this.#words, this.#base + 2 * page + 1, owner | (1 << tailShift));
    else {
      poke(this.#words, this.#base + 2 * page + 1, owner);
      poke(this.#words, this.#base + 2 * (page + pages) - 1, pages << tailShift);
    }
  }

  /**
   * Turns pages [at, at + pages) of the free run [from, from + length) into a run with this head;
   * what is left on either side stays free, and as absent as it was.
   */
  split(
    from: number,
    length: number,
    at: number,
    pages: number,
    head: number,
    owner: number,
  ): void {
    const end = from + length;
    const rest = end - (at + pages);
    const absence = absenceOf(this.head(from));
    if (rest > 0) {
      this.setEnds(at + pages, rest, nobody);
      this.setHead(at + pages, packFree(absence, rest));
    }
    this.setEnds(at, pages, owner);
    this.setHead(at, head);
    if (at > from) {
      // The commit: up to here all of it lay in the interior of the free run.
      this.setEnds(from, at - from, nobody);
      this.setHead(from, packFree(absence, at - from));
    }
  }

  /**
   * Frees a run and merges it with free neighbours.
   * @param left first page of the one before it, and `rightPages` the length of the one after it; 0 for none
   * @returns length of the merged run
   */
  merge(page: number, pages: number, left: number, rightPages: number): number {
    this.setHead(page, packFree(0, pages)); // the commit
    const first = left === 0 ? page : left;
    const end = page + pages;
    const length = end + rightPages - first;
    let absence = left === 0 ? 0 : jointAbsence(absenceOf(this.head(left)), 0);
    if (rightPages !== 0) absence = jointAbsence(absence, absenceOf(this.head(end)));
    this.setEnds(first, length, nobody);
    if (length !== pages) this.setHead(first, packFree(absence, length));
    if (first !== page) this.setHead(page, stateInterior);
    if (rightPages !== 0) this.setHead(end, stateInterior);
    return length;
  }

  /** First page of the free run that ends before `page`, or 0. */
  freeBefore(page: number): number {
    const tail = this.tail(page - 1);
    if (tail === 0 || tail >= page) return 0;
    const head = this.head(page - tail);
    return stateOf(head) === stateFree && lengthOf(head) === tail ? page - tail : 0;
  }

  /**
   * Visits every run from the first data page on, in order.
   * @param damaged called with a page where a head should be and none is; the walk goes on at the
   * next head. Without it:
   * @throws pool_corrupt
   */
  walk(visit: (page: number, head: number) => void, damaged?: (page: number) => void): void {
    const end = this.layout.pages;
    let page = this.layout.dataPage;
    while (page < end) {
      const head = this.head(page);
      const length = lengthOf(head);
      const state = stateOf(head);
      if (state >= stateFree && state <= stateExtent && length > 0 && page + length <= end) {
        visit(page, head);
        page += length;
        continue;
      }
      if (damaged === undefined)
        fail('pool_corrupt', `page ${page} has descriptor ${head} where a run should start`);
      damaged(page);
      do page++;
      while (page < end && this.head(page) === stateInterior);
    }
  }
}

/** Head of page 0: the segment's own metadata. */
export function metadataHead(layout: SegmentLayout): number {
  return packHead(stateMetadata, 0, 0, layout.dataPage);
}

/**
 * Makes a segment one free run, but for its index. The segment is all zero, or was formatted before
 * (its growth was not committed, or it was dropped).
 */
export function formatTable(segment: Segment, layout: SegmentLayout): void {
  const table = new PageTable(segment.words, layout);
  zero(segment.bytes, pendingGroupsWord * 4, (binsWord + binCount) * 4);
  if (table.head(0) !== stateInterior) {
    zero(segment.bytes, layout.pageTableWord * 4, layout.dataPage << 12);
  }
  const pages = layout.pages - layout.dataPage;
  table.setEnds(layout.dataPage, pages, nobody);
  table.setHead(layout.dataPage, (pages << headLengthShift) | stateFree);
  table.setEnds(0, layout.dataPage, 0);
  table.setHead(0, metadataHead(layout));
}
