/**
 * Page runs over all segments of a region: the substrate of slabs (L1), runs (L2) and extents (L3).
 * Grows the region when it must.
 */

import { hasCode } from '../errors.ts';
import { granuleShift, pageShift, type Ref, type Region, type Segment } from '../memory/region.ts';
import { alignUp, FreeRuns } from './free-runs.ts';
import { kinds, metadataKind } from './kind.ts';
import {
  headLive,
  kindOfHead,
  lengthOf,
  packHead,
  pageGranuleShift,
  runPagesLimit,
  segmentLayout,
  stateExtent,
  stateFree,
  stateOf,
  stateRun,
  stateSlab,
} from './layout.ts';
import { formatSegment } from './pages.ts';
import { type SegmentView, viewSegment } from './segment-view.ts';

/** More than a region can have. */
const pagesMax: number = 2 ** 30;

/**
 * When growth failed for want of memory, so many exhausted requests pass before it is tried again.
 */
const growthRetryInterval = 64;

export class RunSpace {
  readonly region: Region;
  readonly views: SegmentView[];
  /** The index of free runs of each segment. */
  readonly free: FreeRuns[] = [];
  /**
   * Pages handed out (slabs, runs and extents), and of those the ones in runs and extents per kind.
   */
  usedPages = 0;
  freePages = 0;
  metadataPages = 0;
  /** Bound on usedPages. */
  limitPages: number = pagesMax;
  /** Of L2 and L3, per kind: tier · kinds + kind. */
  readonly runBlocks: Int32Array = new Int32Array(2 * kinds.length);
  readonly runPages: Int32Array = new Int32Array(2 * kinds.length);
  readonly slabPages: number;
  readonly #owner: number;
  readonly #onGrowth: () => void;
  #growthPause = 0;

  /**
   * @param views of all segments, shared with the other parts of an allocator; growth appends to it
   * @param onGrowth told of a new segment before anything is placed in it
   */
  constructor(region: Region, views: SegmentView[], owner: number, onGrowth: () => void) {
    this.region = region;
    this.views = views;
    this.slabPages = 1 << (region.slabShift - pageShift);
    this.#owner = owner;
    this.#onGrowth = onGrowth;
  }

  /**
   * Takes a segment in: rebuilds the index by jumping from run to run.
   * @throws pool_corrupt
   */
  attach(view: SegmentView, visitSlab: (page: number) => void): void {
    const { table, layout } = view;
    const free = new FreeRuns(layout.pages, this.slabPages);
    this.free.push(free);
    this.metadataPages += layout.dataPage;
    table.walk((page, head) => {
      const pages = lengthOf(head);
      if (stateOf(head) === stateFree) {
        free.insert(page, pages);
        this.freePages += pages;
        return;
      }
      this.#count(head, 1);
      if (stateOf(head) === stateSlab) visitSlab(page);
    });
  }

  /** A live run or extent. @returns 0 when exhausted: nothing has changed */
  allocateRun(kind: number, pages: number): Ref {
    const state = pages <= runPagesLimit ? stateRun : stateExtent;
    return this.#allocate(packHead(state, kind, headLive, pages), pages);
  }

  /** A slab-aligned run for a slab. @returns 0 when exhausted: nothing has changed */
  allocateSlab(kind: number): Ref {
    return this.#allocate(packHead(stateSlab, kind, 0, this.slabPages), this.slabPages);
  }

  /** Gives a slab, run or extent back. */
  release(segmentNumber: number, page: number): void {
    const { table } = this.views[segmentNumber] as SegmentView;
    const free = this.free[segmentNumber] as FreeRuns;
    const head = table.head(page);
    const pages = lengthOf(head);
    const end = page + pages;
    const left = table.freeBefore(page);
    if (left !== 0) free.remove(left);
    if (end < table.layout.pages && free.lengthAt(end) !== 0) free.remove(end);
    const first = table.merge(page, pages);
    free.insert(first, lengthOf(table.head(first)));
    this.freePages += pages;
    this.#count(head, -1);
  }

  /**
   * Adds a segment to the region for a request of `pages`.
   * @returns false when limit, capacity or memory does not allow it
   */
  grow(pages: number): boolean {
    if (this.usedPages + pages > this.limitPages) return false;
    if (this.#growthPause > 0) {
      this.#growthPause--;
      return false;
    }
    const { region } = this;
    try {
      if (
        !region.addSegment((segment) =>
          formatSegment(segment, segmentLayout(segment.sizeBytes, region.slabShift)),
        )
      ) {
        return false;
      }
    } catch (error) {
      // A machine without memory is a full pool, not a broken one: the store can still evict.
      if (!hasCode(error, 'memory_unavailable')) throw error;
      this.#growthPause = growthRetryInterval;
      return false;
    }
    const view = viewSegment(region.segments[this.views.length] as Segment, region.slabShift);
    this.views.push(view);
    this.#onGrowth();
    this.attach(view, () => undefined);
    return true;
  }

  /** Bounds usedPages, and lets the next exhausted request try to grow again. */
  setLimit(limitPages: number): void {
    this.limitPages = Math.min(limitPages, pagesMax);
    this.#growthPause = 0;
  }

  /** Takes away the last segment if nothing is in it. Segment 0 stays. */
  dropLast(): boolean {
    const last = this.views.length - 1;
    const { dataPage, pages } = (this.views[last] as SegmentView).layout;
    if (last === 0 || (this.free[last] as FreeRuns).lengthAt(dataPage) !== pages - dataPage)
      return false;
    this.region.dropSegment();
    this.views.pop();
    this.free.pop();
    this.metadataPages -= dataPage;
    this.freePages -= pages - dataPage;
    return true;
  }

  longestFreeRun(): number {
    return this.free.reduce((longest, free) => Math.max(longest, free.longest()), 0);
  }

  #allocate(head: number, pages: number): Ref {
    if (this.usedPages + pages > this.limitPages || this.freePages < pages) return 0;
    const forSlab = stateOf(head) === stateSlab;
    // Metadata fills a segment from its low end, all else from the high end: entries and tables never move, and one block of them
    // among the data would split it for good, so that no eviction makes room for a large part.
    const low = kindOfHead(head) === metadataKind;
    // Low segments first, so that high ones empty and can be given back.
    for (let number = 0; number < this.views.length; number++) {
      const { table } = this.views[number] as SegmentView;
      const free = this.free[number] as FreeRuns;
      const from = forSlab ? free.findWindow(low) : free.find(pages, low);
      if (from === 0) continue;
      const length = free.lengthAt(from);
      const step = forSlab ? this.slabPages : 1;
      const at = low ? alignUp(from, step) : (from + length - pages) & -step;
      free.remove(from);
      table.split(from, length, at, pages, head, this.#owner);
      if (at > from) free.insert(from, at - from);
      if (at + pages < from + length) free.insert(at + pages, from + length - at - pages);
      this.freePages -= pages;
      this.#count(head, 1);
      return (number << (this.region.segmentShift - granuleShift)) | (at << pageGranuleShift);
    }
    return 0;
  }

  #count(head: number, sign: 1 | -1): void {
    const kind = kindOfHead(head);
    const pages = sign * lengthOf(head);
    this.usedPages += pages;
    if (stateOf(head) === stateSlab) return; // counted by class in slabs.ts
    const cell = (stateOf(head) === stateExtent ? kinds.length : 0) + kind;
    this.runBlocks[cell] = (this.runBlocks[cell] as number) + sign;
    this.runPages[cell] = (this.runPages[cell] as number) + pages;
  }
}
