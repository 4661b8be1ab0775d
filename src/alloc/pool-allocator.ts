/**
 * The allocator of a pool, as one of its owners has it: three tiers over one page table.
 *
 * allocate and free of L1 stand here in full, because they are the hot path: integer work on a slab
 * header and one line of bitmaps, a private stack, and a counter. Everything else is a call away.
 */

import { fail } from '../errors.ts';
import { granuleShift, pageBytes, type Ref, type Region } from '../memory/region.ts';
import { add, and, or, peek, poke, setBits, type Words, zero } from '../memory/words.ts';
import { giveBackMinBytes } from './absent.ts';
import type { Allocator, AllocatorOptions, Marks } from './api.ts';
import { classGranulesMax, classOfGranules } from './classes.ts';
import {
  allocationsWord,
  allocationUnderWay,
  carry,
  countOne,
  failuresWord,
  freesWord,
  freeUnderWay,
} from './counters.ts';
import { type Kind, kindCount, kindMask } from './kind.ts';
import * as layout from './layout.ts';
import { OwnerPaths } from './owner-paths.ts';
import { freezeSegments, recoverAll, recoverLabels, unmarkedKept } from './recover-owner.ts';
import { type Recovered, sweepUnmarked } from './recover.ts';
import { refuseBlocked } from './runs.ts';
import type { SegmentView } from './segment-view.ts';
import { Slabs } from './slabs.ts';

// What follows is measured in nanoseconds. V8 knows an object that is in a constant, such as a program's allocator, and folds its fields down to the addresses
// of arrays where they were written but once: hence `declare`, without which a field is undefined first. It inlines what has few bytecodes, callees included
// (of a loop 920, of the last candidate a fifth more than it has): hence two functions for allocate and free, the rest elsewhere, and no check that can be
// had together with another. Functions are constants for it only if they are declared so. All of it together: 30 to 15.7 ns per operation of `rl_small`.

const allKinds: number = 2 ** kindCount - 1;

/** Makes a claimed block live, and counts it. */
const makeLive = (bits: Words, counters: Words, ref: Ref, granule: number): void => {
  const count = peek(counters, allocationsWord);
  poke(counters, allocationUnderWay, ref | (count << 31));
  setBits(bits, (granule >> 5) << layout.bitsWordShift, 1 << granule);
  poke(counters, allocationsWord, (count + 1) | 0);
  if (count === -1) carry(counters, allocationsWord);
};

/** Makes a live block a claimed one, and counts that. @param left what stays live of the word at `at` */
const makeClaimed = (bits: Words, counters: Words, ref: Ref, at: number, left: number): void => {
  const count = peek(counters, freesWord);
  poke(counters, freeUnderWay, ref | (count << 31));
  poke(bits, at, left);
  poke(counters, freesWord, (count + 1) | 0);
  if (count === -1) carry(counters, freesWord);
};

export class PoolAllocator extends OwnerPaths implements Allocator {
  /** Segments whose blocks `free` frees at once: none where a kind is zeroed, nor for an onlooker. */
  private readonly quickViews: readonly SegmentView[];
  /** The first segment, which stays as it is while the region is open; references of no other bits than `quickMask` are into it. Where it is none of `quickViews` that is 0. */
  declare private readonly quickMask: number;
  declare private readonly quickView: SegmentView;
  declare private readonly quickBits: Words;
  declare private readonly quickHeaders: Words;
  /** Taken out of `slabs` for the hot path. */
  declare private stacks: Int32Array;
  declare private readonly stackShift: number;
  /** Bits of an index in `stacks` of which none is set behind the last cell of a stack. */
  declare private readonly cellMask: number;

  /** @throws pool_corrupt */
  constructor(region: Region, options: AllocatorOptions) {
    super(region, options);
    if (this.writes) region.slotSettled = false; // from here on, this owner may have something
    const [first] = this.views as [SegmentView];
    this.quickViews =
      this.writes && this.owner.zeroKinds === 0 ? this.views : this.views.slice(0, 0);
    this.quickMask = this.quickViews.length === 0 ? 0 : this.granuleMask;
    this.quickView = first;
    this.quickBits = first.bits;
    this.quickHeaders = first.headers;
    this.stackShift = this.slabs.stacks.shift;
    this.cellMask = (1 << this.stackShift) - 1;
    this.stacks = this.slabs.stacks.cells;
  }

  allocate(kind: Kind, sizeBytes: number): Ref {
    const granules = (sizeBytes + 63) >> granuleShift;
    if (
      (granules - 1) >>> 0 >= classGranulesMax ||
      (sizeBytes | 0) !== sizeBytes ||
      (kind & kindMask) !== kind
    ) {
      return this.allocateRun(kind, sizeBytes);
    }
    const { stacks } = this;
    const stack = (kind << layout.kindOfStackShift) | (classOfGranules[granules] as number);
    const base = stack << this.stackShift;
    const top = stacks[base] as number;
    const ref = stacks[top] as Ref;
    // No reference, or one into another segment.
    if ((ref - 1) >>> 0 >= this.quickMask) {
      return this.allocateElsewhere(kind, sizeBytes, stack) | 0; // an integer for V8, too
    }
    stacks[base] = top - 1;
    makeLive(this.quickBits, this.counters, ref, ref);
    return ref;
  }

  allocateAtHand(kind: Kind, sizeBytes: number): Ref {
    this.isAtHand = true;
    try {
      return this.allocate(kind, sizeBytes);
    } finally {
      this.isAtHand = false;
    }
  }

  free(ref: Ref, kind: Kind): void {
    if ((ref & this.quickMask) === ref) {
      const header = peek(this.quickHeaders, (ref >> this.windowShift) << layout.slabHeaderShift);
      if (
        // A slab of this owner and kind; that is one, since kind + 16 would be the next owner's.
        (header & ~layout.classMask) === this.ownHeader + (kind << layout.kindOfStackShift) &&
        (kind & kindMask) === kind
      ) {
        const { quickBits: bits, stacks } = this;
        const at = (ref >> 5) << layout.bitsWordShift;
        const live = peek(bits, at);
        const others = peek(bits, at + layout.keptAt) | peek(bits, at + layout.remoteAt);
        const bit = 1 << ref;
        const base = (header & layout.stackMask) << this.stackShift;
        const next = ((stacks[base] as number) + 1) | 0;
        // A block that is live, and that nobody else knows of; there is room in the stack.
        if ((live & ~others & bit) !== 0 && (next & this.cellMask) !== 0) {
          makeClaimed(bits, this.counters, ref, at, live ^ bit);
          stacks[next] = ref;
          stacks[base] = next;
          return;
        }
      }
    }
    return this.freeNear(ref, kind);
  }

  allocateNearer(than: Ref): Ref {
    this.mustWrite();
    this.follow(); // another may have put it into a segment that it has added
    const head = this.lookup.liveHead(than) || this.lookup.rejectForeign(than);
    const fresh = head & ~(layout.headKept | layout.headRemote);
    const ref = this.runs.allocateNearer(fresh, layout.lengthOf(head), than);
    if (ref !== 0) countOne(this.counters, allocationsWord);
    return ref;
  }

  keep(ref: Ref): void {
    const number = ref >>> this.segmentShift;
    if ((ref | 0) === ref && number < this.quickViews.length) {
      const view = this.quickViews[number] as SegmentView;
      const granule = ref & this.granuleMask;
      const header = peek(view.headers, (granule >> this.windowShift) << layout.slabHeaderShift);
      const at = (granule >> 5) << layout.bitsWordShift;
      const bit = 1 << (granule & 31);
      const live = peek(view.bits, at) & ~peek(view.bits, at + layout.remoteAt);
      if (header !== 0 && (live & bit) !== 0) {
        or(view.bits, at + layout.keptAt, bit);
        return;
      }
    }
    this.setKept(ref, true);
  }

  unkeep(ref: Ref): void {
    this.setKept(ref, false);
  }

  get usedBytes(): number {
    this.follow();
    return this.runs.usedPages() * pageBytes;
  }

  get freeBytes(): number {
    const { usedBytes } = this;
    return Math.max(0, this.runs.mostPages * pageBytes - usedBytes);
  }

  setLimitBytes(limitBytes: number): void {
    if (!(limitBytes >= 0)) fail('invalid_argument', `limitBytes is ${limitBytes}`);
    this.mustWrite();
    this.runs.setLimit(Math.floor(limitBytes / pageBytes));
    this.relieve();
    add(this.control, layout.allocControl.pressure, 1);
  }

  giveBack(minBytes: number = giveBackMinBytes): number {
    if (!(minBytes > 0)) fail('invalid_argument', `minBytes is ${minBytes}`);
    this.mustWrite();
    return this.runs.giveBack(Math.ceil(minBytes / pageBytes));
  }

  dropEmptySegments(): number {
    this.flush();
    let dropped = 0;
    while (this.runs.dropLast()) dropped++;
    return dropped;
  }

  recover(): { readonly freedBlocks: number; readonly freedBytes: number } {
    if (!this.region.readOnly) this.mustWrite(); // what a private copy recovers reaches nobody
    this.follow();
    const result = recoverAll(this);
    this.rebuild();
    return result;
  }

  recoverOwner(slot: number): boolean {
    this.mustWrite();
    this.follow();
    return this.region.reclaim?.(slot, () => void this.clearOwner(slot)) ?? false;
  }

  clearOwner(slot: number): Recovered {
    this.mustWrite();
    this.follow();
    return recoverLabels(this, (owner) => owner === slot, allKinds);
  }

  sweepKept(marks: Marks): Recovered {
    this.mustWrite();
    this.follow();
    const result = { freedBlocks: 0, freedBytes: 0 };
    for (const { ref, kind, sizeBytes } of unmarkedKept(this, marks)) {
      const { segment } = this.lookup.viewOf(ref) as SegmentView;
      const fromByte = this.lookup.granuleOf(ref) << granuleShift;
      zero(segment.bytes, fromByte, fromByte + sizeBytes);
      this.free(ref, kind);
      result.freedBlocks++;
      result.freedBytes += sizeBytes;
    }
    return result;
  }

  freeze(): () => void {
    this.mustWrite();
    this.follow();
    return freezeSegments(this);
  }

  sweep(marks: Marks): { readonly freedBlocks: number; readonly freedBytes: number } {
    this.mustWrite();
    return sweepUnmarked(this, marks);
  }

  flush(): void {
    this.mustWrite();
    this.relieve();
  }

  leave(): void {
    this.flush();
    this.slabs.orphanAll();
    this.region.slotSettled = true;
  }

  /** Allocates from a stack that has a block of another segment on top, or none. */
  private allocateElsewhere(kind: Kind, sizeBytes: number, stack: number): Ref {
    const { stacks } = this;
    const base = stack << this.stackShift;
    const top = stacks[base] as number;
    const ref = stacks[top] as Ref;
    if (ref === 0) return this.allocateFresh(kind, sizeBytes, stack);
    stacks[base] = top - 1;
    const view = this.views[ref >> this.segmentShift] as SegmentView;
    makeLive(view.bits, this.counters, ref, ref & this.granuleMask);
    return ref;
  }

  /** Frees runs and others' blocks of the first segment, which needs no look at segments. */
  private freeNear(ref: Ref, kind: Kind): void {
    if ((ref & this.quickMask) === ref) {
      const { quickHeaders: headers } = this;
      const header = peek(headers, (ref >> this.windowShift) << layout.slabHeaderShift);
      if (header === 0) return this.freeRun(ref, kind, this.quickView);
      if (this.freeOthers(ref, kind, headers, this.quickBits, ref, header)) return;
    }
    return this.freeAnywhere(ref, kind);
  }

  /** Frees any block of a slab of this owner; what is none goes other ways. */
  private freeAnywhere(ref: Ref, kind: Kind): void {
    const number = ref >>> this.segmentShift;
    if ((ref | 0) !== ref || number >= this.quickViews.length) return this.freeSlowly(ref, kind);
    const view = this.quickViews[number] as SegmentView;
    const granule = ref & this.granuleMask;
    const header = peek(view.headers, (granule >> this.windowShift) << layout.slabHeaderShift);
    const stack = header & layout.stackMask;
    if (header - stack !== this.ownHeader || stack >> layout.kindOfStackShift !== kind) {
      if (this.freeOthers(ref, kind, view.headers, view.bits, granule, header)) return;
      return this.freeRun(ref, kind, view);
    }
    const { bits } = view;
    const at = (granule >> 5) << layout.bitsWordShift;
    const bit = 1 << (granule & 31);
    if ((peek(bits, at) & ~peek(bits, at + layout.remoteAt) & bit) === 0) {
      return this.freeSlowly(ref, kind);
    }
    if ((peek(bits, at + layout.keptAt) & bit) !== 0) and(bits, at + layout.keptAt, ~bit);
    this.push(stack, ref, bits, at, bit);
  }

  /** Fills an empty stack, growing the region if need be, and allocates from it. */
  private allocateFresh(kind: Kind, sizeBytes: number, stack: number): Ref {
    if (kind >= kindCount) return this.allocateRun(kind, sizeBytes);
    this.mustWrite();
    this.notice();
    const { slabPages } = this.runs;
    let filled = this.slabs.refill(stack);
    // Of a slab there may be blocks where no pages came free.
    if (!filled && (this.makeWay(slabPages) || !this.isAtHand)) filled = this.slabs.refill(stack);
    filled ||= this.grow(slabPages) && this.slabs.refill(stack);
    if (filled) return this.allocate(kind, sizeBytes);
    refuseBlocked(this.runs);
    countOne(this.counters, failuresWord);
    return 0;
  }

  /** Clears a block's live bit, counts it and pushes it. */
  protected push(stack: number, ref: Ref, bits: Words, at: number, bit: number): void {
    const { stacks } = this;
    const base = stack << this.stackShift;
    if ((((stacks[base] as number) + 1) & this.cellMask) === 0) this.slabs.spillHalf(stack);
    makeClaimed(bits, this.counters, ref, at, peek(bits, at) & ~bit);
    const next = (stacks[base] as number) + 1;
    stacks[next] = ref;
    stacks[base] = next;
  }

  /** Forgets what was held in private: it has been recovered. */
  private rebuild(): void {
    this.cache.drain(() => undefined);
    this.runs = this.newRuns();
    this.slabs = new Slabs(this.region, this.runs, this.owner);
    this.stacks = this.slabs.stacks.cells;
  }
}
