/**
 * What a reference stands for, whoever wrote it: every question is answered from slab headers,
 * bitmaps and page table.
 */

import { fail } from '../errors.ts';
import { granuleShift, type Ref, type Region } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { classCount, type ClassTable, classTable } from './classes.ts';
import {
  bitsWordShift,
  headLive,
  liveAt,
  nobody,
  ownerMask,
  pageGranuleShift,
  remoteAt,
  slabHeaderShift,
  slabOwnerShift,
  stackMask,
  stateExtent,
  stateFree,
  stateInterior,
  stateOf,
  stateRun,
} from './layout.ts';
import type { SegmentView } from './segment-view.ts';

/** What `stackOf` gives for a reference into no live slab block. */
export const notInSlab = -1;

export class Lookup {
  readonly #views: readonly SegmentView[];
  readonly #classes: ClassTable;
  readonly #segmentShift: number;
  readonly #granuleMask: number;
  readonly #windowShift: number;

  constructor(region: Region, views: readonly SegmentView[]) {
    this.#views = views;
    this.#classes = classTable(region.slabShift);
    this.#segmentShift = region.segmentShift - granuleShift;
    this.#granuleMask = (1 << this.#segmentShift) - 1;
    this.#windowShift = region.slabShift - granuleShift;
  }

  /** The view that a reference falls into, or undefined. */
  viewOf(ref: Ref): SegmentView | undefined {
    if ((ref | 0) !== ref || ref < 0) return undefined;
    const view = this.#views[ref >> this.#segmentShift];
    const page = this.granuleOf(ref) >> pageGranuleShift;
    return view !== undefined && page < view.layout.pages ? view : undefined;
  }

  /** Granule within its segment. */
  granuleOf(ref: Ref): number {
    return ref & this.#granuleMask;
  }

  /** Stack (kind and class) of a live block in a slab, or notInSlab. */
  stackOf(ref: Ref): number {
    const view = this.viewOf(ref);
    if (view === undefined) return notInSlab;
    const granule = this.granuleOf(ref);
    const header = this.#slabHeader(view, granule);
    if (header === 0) return notInSlab;
    const at = (granule >> 5) << bitsWordShift;
    const live = peek(view.bits, at + liveAt) & ~peek(view.bits, at + remoteAt);
    return ((live >>> (granule & 31)) & 1) === 1 ? header & stackMask : notInSlab;
  }

  /**
   * Whether a reference is counted as a live allocation: also when another owner has freed it and
   * its own has not noticed yet.
   */
  isCounted(ref: Ref): boolean {
    const view = this.viewOf(ref);
    if (view === undefined) return false;
    const granule = this.granuleOf(ref);
    if (this.#slabHeader(view, granule) === 0) return this.liveHead(ref) !== 0;
    const live = peek(view.bits, ((granule >> 5) << bitsWordShift) + liveAt);
    return ((live >>> (granule & 31)) & 1) === 1;
  }

  /** Who has the slab or the run that `ref` lies in, or starts. */
  ownerOf(ref: Ref): number {
    const view = this.viewOf(ref);
    if (view === undefined) return nobody;
    const granule = this.granuleOf(ref);
    const header = this.#slabHeader(view, granule);
    if (header !== 0) return (header >> slabOwnerShift) & ownerMask;
    return view.table.owner(granule >> pageGranuleShift);
  }

  /** Descriptor of the live run or extent that starts at `ref`, or 0. */
  liveHead(ref: Ref): number {
    const view = this.viewOf(ref);
    if (view === undefined || ref % (1 << pageGranuleShift) !== 0) return 0;
    const head = view.table.head(this.granuleOf(ref) >> pageGranuleShift);
    const state = stateOf(head);
    const isRun = state === stateRun || state === stateExtent;
    return isRun && (head & headLive) !== 0 ? head : 0;
  }

  /**
   * @throws double_free for a reference to something free, foreign_reference for any other that is
   * not live
   */
  rejectFree(ref: Ref): never {
    const view = this.viewOf(ref);
    if (view !== undefined && this.#isFree(view, this.granuleOf(ref))) {
      fail('double_free', `reference ${ref} is free already`);
    }
    return this.rejectForeign(ref);
  }

  /** @throws foreign_reference */
  rejectForeign(ref: Ref): never {
    return fail('foreign_reference', `reference ${ref} is not the start of a live allocation`);
  }

  #slabHeader(view: SegmentView, granule: number): number {
    return peek(view.headers, (granule >> this.#windowShift) << slabHeaderShift);
  }

  /**
   * A block of a slab that is not live, a claimed run, or anything in a free one: what was freed may
   * have merged with others since. Walks back to the head of a run, which only a mistake pays for.
   */
  #isFree(view: SegmentView, granule: number): boolean {
    const header = this.#slabHeader(view, granule);
    if (header === 0) {
      let page = granule >> pageGranuleShift;
      const isStart = page << pageGranuleShift === granule;
      while (page > 0 && view.table.head(page) === stateInterior) page--;
      const head = view.table.head(page);
      if (stateOf(head) === stateFree) return true;
      const isRun = stateOf(head) === stateRun || stateOf(head) === stateExtent;
      return isRun && (head & headLive) === 0 && isStart;
    }
    const { starts, slabWords } = this.#classes;
    const word = (header % classCount) * slabWords + ((granule >> 5) & (slabWords - 1));
    return (((starts[word] as number) >>> (granule & 31)) & 1) === 1;
  }
}
