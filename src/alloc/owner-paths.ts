/** What an owner does that is not the hot path of L1: runs and extents, blocks of others, marks. */

import { fail } from '../errors.ts';
import { granuleShift, pageBytes, pageShift, type Ref, type Region } from '../memory/region.ts';
import { and, or, peek, poke, type Words, zero } from '../memory/words.ts';
import { retainPages } from './absent.ts';
import type { AllocatorOptions } from './api.ts';
import { classBytes, classCount, exactPagesMax, pagesFor, wholeSteps } from './classes.ts';
import {
  allocationsWord,
  beginAllocation,
  beginFree,
  countOne,
  failuresWord,
  freesWord,
  freeUnderWay,
} from './counters.ts';
import { HeldBack } from './held-back.ts';
import { type Kind, kindCount, kindMask, kinds } from './kind.ts';
import * as layout from './layout.ts';
import { notInSlab } from './lookup.ts';
import { freeRemotely, Messenger } from './remote.ts';
import { checkRequest } from './request.ts';
import { refuseBlocked } from './runs.ts';
import type { SegmentView } from './segment-view.ts';

const flagsOfRun: number = layout.headLive | layout.headKept | layout.headRemote;

export abstract class OwnerPaths extends HeldBack {
  // Written once, for the hot path (pool-allocator.ts).
  declare protected readonly windowShift: number;
  /** The header of an own slab, but for its stack. */
  declare protected readonly ownHeader: number;
  declare protected readonly messenger: Messenger;

  /** @throws pool_corrupt */
  constructor(region: Region, options: AllocatorOptions) {
    super(region, options);
    this.windowShift = region.slabShift - granuleShift;
    this.ownHeader = layout.packSlab(0, this.owner.slot);
    this.messenger = new Messenger(region, this.views[0] as SegmentView);
  }

  /** Clears a block's live bit, counts it and pushes it. */
  protected abstract push(stack: number, ref: Ref, bits: Words, at: number, bit: number): void;

  /** L2 and L3, and every request that is not in order. */
  protected allocateRun(kind: Kind, sizeBytes: number): Ref {
    const few = (sizeBytes + pageBytes - 1) >> pageShift;
    // Who is asked to give back what it holds does so before it takes more of it.
    const isAsked = peek(this.control, layout.allocControl.pressure) !== this.pressure;
    if (few <= layout.runPagesLimit && few > 1 && kind > 0 && !isAsked) {
      const ref = this.reuse(kind, sizeBytes, few <= exactPagesMax ? few : wholeSteps(few));
      if (ref !== 0) return ref;
    }
    const pages = pagesFor(sizeBytes);
    checkRequest(kind, sizeBytes, this.region, this.views);
    this.mustWrite();
    this.notice();
    const state = pages <= layout.runPagesLimit ? layout.stateRun : layout.stateExtent;
    const head = layout.packHead(state, kind, layout.headLive, pages);
    let ref = this.runs.allocateRun(head, pages);
    if (ref !== 0 && this.cache.isLookDue()) {
      this.cache.look(this.runs.usedPages(), this.runs.mostPages);
      this.fitCache(); // owners come and go
    }
    if (ref === 0 && this.makeWay(pages)) ref = this.runs.allocateRun(head, pages);
    while (ref === 0 && this.grow(pages)) ref = this.runs.allocateRun(head, pages);
    if (ref === 0) refuseBlocked(this.runs);
    countOne(this.counters, ref === 0 ? failuresWord : allocationsWord);
    return ref;
  }

  /** A run of `pages`, or of hardly more, out of the private cache, or 0. */
  protected reuse(kind: Kind, sizeBytes: number, pages: number): Ref {
    if ((kind | 0) !== kind || kind >= kindCount || (sizeBytes | 0) !== sizeBytes) return 0;
    const ref = this.cache.pop(pages);
    if (ref === 0) return 0;
    const view = this.views[ref >> this.segmentShift] as SegmentView;
    const page = (ref & this.granuleMask) >> layout.pageGranuleShift;
    const length = this.cache.poppedPages; // which may be more
    beginAllocation(this.counters, ref);
    view.table.setHead(page, layout.packHead(layout.stateRun, kind, layout.headLive, length));
    countOne(this.counters, allocationsWord);
    return ref;
  }

  /** Frees a run or an extent that this owner has allocated; all else goes the slow way. */
  protected freeRun(ref: Ref, kind: Kind, view: SegmentView): void {
    const granule = ref & this.granuleMask;
    const page = granule >> layout.pageGranuleShift;
    if (page << layout.pageGranuleShift !== granule || page >= view.layout.pages) {
      return this.freeSlowly(ref, kind);
    }
    const { table } = view;
    const { slot } = this.owner;
    const head = table.head(page);
    const pages = layout.lengthOf(head);
    const state = pages <= layout.runPagesLimit ? layout.stateRun : layout.stateExtent;
    const live = layout.packHead(state, kind, layout.headLive, pages);
    const isMine = (head & ~layout.headKept) === live && table.owner(page) === slot;
    if (!isMine || layout.kindOfHead(head) !== kind) return this.freeSlowly(ref, kind);
    // As in `claim`, where the label is ours already.
    beginFree(this.counters, ref);
    if (!table.swapHead(page, head, head & ~flagsOfRun)) {
      poke(this.counters, freeUnderWay, 0);
      return this.freeSlowly(ref, kind);
    }
    if (table.owner(page) !== slot) table.setOwner(page, slot);
    countOne(this.counters, freesWord);
    if (kind === 0 || !this.cache.push(ref, pages)) this.runs.release(view.segment.number, page);
  }

  /**
   * Makes a live run this owner's alone.
   * @throws double_free when another was faster
   */
  protected claim(ref: Ref, view: SegmentView, page: number): void {
    const { table } = view;
    beginFree(this.counters, ref);
    const { slot } = this.owner;
    for (let changed = slot; ;) {
      // Before the head: if it is live then, and the label is still the same when it is changed, nobody has claimed the run between.
      const label = table.owner(page);
      const head = table.loadHead(page);
      if ((head & layout.headLive) === 0) {
        poke(this.counters, freeUnderWay, 0);
        if (changed !== slot) table.swapOwner(page, slot, changed); // whoever was faster had it already
        this.lookup.rejectFree(ref);
      }
      // First the label: without it a claimed run were nobody's who is recovered.
      if (!table.swapOwner(page, label, slot)) continue;
      if (label !== slot) changed = label;
      if (table.swapHead(page, head, head & ~flagsOfRun)) break;
    }
    table.setOwner(page, slot); // who frees it too, and lost, may have labelled it last
    countOne(this.counters, freesWord);
  }

  /** Frees everything that has no quick way; says what is wrong with any other reference. */
  protected freeSlowly(ref: Ref, kind: Kind): void {
    this.mustWrite();
    this.follow();
    const stack = this.lookup.stackOf(ref);
    const head = stack === notInSlab ? this.lookup.liveHead(ref) || this.lookup.rejectFree(ref) : 0;
    const actual = stack === notInSlab ? layout.kindOfHead(head) : stack >> layout.kindOfStackShift;
    if (actual !== kind) {
      const given = kinds[kind] ?? kind;
      fail('wrong_kind', `reference ${ref} is of kind ${kinds[actual]}, not ${given}`);
    }
    const view = this.lookup.viewOf(ref) as SegmentView;
    const granule = this.lookup.granuleOf(ref);
    if (stack !== notInSlab) {
      this.freeBlock(ref, stack, view, granule);
      return;
    }
    const page = granule >> layout.pageGranuleShift;
    const pages = layout.lengthOf(head);
    this.claim(ref, view, page);
    this.wipe(kind, view, granule, pages * pageBytes);
    // Longer ones that another has allocated are for all.
    const isHeld = kind !== 0 && pages <= exactPagesMax && this.cache.push(ref, pages);
    if (!isHeld) this.runs.release(view.segment.number, page);
  }

  /** Frees a block of another owner's slab, of a kind that is not zeroed. @returns false where it is anything else: nothing has changed */
  protected freeOthers(
    ref: Ref,
    kind: Kind,
    headers: Words,
    bits: Words,
    granule: number,
    header: number,
  ): boolean {
    // The header of a slab of this kind, but for its stack; where another kind or none is asked for, bits below the owner differ.
    const label = (header & ~layout.classMask) ^ (kind << layout.kindOfStackShift);
    const isOfKind = (label & layout.belowOwner) === layout.slabValid && (kind & kindMask) === kind;
    if (!isOfKind || label === this.ownHeader || label === layout.slabOfNobody) return false;
    if (((peek(bits, (granule >> 5) << layout.bitsWordShift) >> granule) & 1) === 0) return false;
    // Whether another has freed it is found where the bit is set.
    freeRemotely(this.messenger, headers, bits, granule, ref);
    return true;
  }

  protected freeBlock(ref: Ref, stack: number, view: SegmentView, granule: number): void {
    const { headers, bits } = view;
    const kind = stack >> layout.kindOfStackShift;
    const headerAt = (granule >> this.windowShift) << layout.slabHeaderShift;
    const isTaken =
      peek(headers, headerAt) === layout.packSlab(stack, layout.nobody) &&
      this.slabs.adoptBlock(stack, ref);
    // What others had freed of it may have been all that was left of it.
    if (isTaken && this.lookup.stackOf(ref) === notInSlab) this.lookup.rejectFree(ref);
    const header = peek(headers, headerAt);
    const at = (granule >> 5) << layout.bitsWordShift;
    const bit = 1 << (granule & 31);
    const isOwn = header === this.ownHeader + stack;
    if (!isOwn) {
      // Still kept: until the remote bit is set nothing is freed, whatever happens to us.
      this.wipe(kind, view, granule, classBytes(stack % classCount));
      freeRemotely(this.messenger, headers, bits, granule, ref);
      return;
    }
    // First, so that no crash leaves a kept block half zeroed.
    if ((peek(bits, at + layout.keptAt) & bit) !== 0) and(bits, at + layout.keptAt, ~bit);
    this.wipe(kind, view, granule, classBytes(stack % classCount));
    this.push(stack, ref, bits, at, bit);
  }

  protected wipe(kind: Kind, view: SegmentView, granule: number, sizeBytes: number): void {
    if (((this.owner.zeroKinds >> kind) & 1) === 0) return;
    const fromByte = granule << granuleShift;
    zero(view.segment.bytes, fromByte, fromByte + sizeBytes);
  }

  retain(ref: Ref): void {
    this.mustWrite();
    const pages = Math.ceil(this.sizeOf(ref) / pageBytes);
    const view = this.lookup.viewOf(ref) as SegmentView;
    retainPages(
      view,
      this.region.slabShift,
      this.lookup.granuleOf(ref) >> layout.pageGranuleShift,
      pages,
    );
  }

  protected setKept(ref: Ref, kept: boolean): void {
    this.mustWrite();
    this.follow();
    const granule = this.lookup.granuleOf(ref);
    if (this.lookup.stackOf(ref) !== notInSlab) {
      const { bits } = this.lookup.viewOf(ref) as SegmentView;
      const at = ((granule >> 5) << layout.bitsWordShift) + layout.keptAt;
      const bit = 1 << (granule & 31);
      if (kept) or(bits, at, bit);
      else and(bits, at, ~bit);
      return;
    }
    for (;;) {
      const head = this.lookup.liveHead(ref) || this.lookup.rejectForeign(ref);
      const { table } = this.lookup.viewOf(ref) as SegmentView;
      const changed = kept ? head | layout.headKept : head & ~layout.headKept;
      if (changed === head || table.swapHead(granule >> layout.pageGranuleShift, head, changed))
        return;
    }
  }
}
