/**
 * The allocator of a pool, as one of its owners has it: three tiers over one page table.
 *
 * allocate and free of L1 stand here in full, because they are the hot path: integer work on a slab
 * header and one line of bitmaps, a private stack, and a counter. Everything else is a call away.
 */

import { fail } from '../errors.ts';
import { granuleShift, pageBytes, type Ref, type Region } from '../memory/region.ts';
import { add, and, clearBits, or, peek, poke, setBits, type Words, zero } from '../memory/words.ts';
import { giveBackMinBytes, retainPages } from './absent.ts';
import type { Allocator, AllocatorOptions, Marks } from './api.ts';
import { classGranulesMax, classOfGranules } from './classes.ts';
import { counterWords, countOne, underWay } from './counters.ts';
import { type Kind, kinds } from './kind.ts';
import * as layout from './layout.ts';
import { OwnerPaths } from './owner-paths.ts';
import { freezeSegments, recoverAll, recoverLabels, unmarkedKept } from './recover-owner.ts';
import { type Recovered, sweepUnmarked } from './recover.ts';
import { refuseBlocked } from './runs.ts';
import type { SegmentView } from './segment-view.ts';
import { Slabs } from './slabs.ts';
import { stackCells, stackDepth, stackLimit } from './stacks.ts';

// V8 folds a module's own constants into optimised code, but loads an imported one at each use,
// with two checks. These copies, and plain fields in place of #private ones, take an allocate or
// free from 18.0 to 12.1 ns.
const readWord = peek;
const writeWord = poke;
const setWordBits = setBits;
const clearWordBits = clearBits;
const setShared = or;
const clearShared = and;
const granuleBits = granuleShift;
const classes = classOfGranules;
const l1Granules = classGranulesMax;
const wordShift = layout.bitsWordShift;
const keptWord = layout.keptAt;
const remoteWord = layout.remoteAt;
const headerShift = layout.slabHeaderShift;
const stackBits = layout.stackMask;
const kindShift = layout.kindOfStackShift;
const depthCell = stackDepth;
const limitCell = stackLimit;
const firstCell = stackCells;
const allocations = counterWords.allocations;
const frees = counterWords.frees;
const allocationUnderWay = underWay.allocation;
const freeUnderWay = underWay.free;
const kindCount = kinds.length;
const allKinds: number = 2 ** kinds.length - 1;
const pageGranules = layout.pageGranuleShift;

export class PoolAllocator extends OwnerPaths implements Allocator {
  /** Segments whose blocks `free` frees at once: none where a kind is zeroed, nor for an onlooker. */
  private readonly quickViews: readonly SegmentView[];
  /** Taken out of `slabs` for the hot path. */
  private stacks: Int32Array;
  private readonly stackShift: number;

  /** @throws pool_corrupt */
  constructor(region: Region, options: AllocatorOptions) {
    super(region, options);
    this.quickViews =
      this.writes && this.owner.zeroKinds === 0 ? this.views : this.views.slice(0, 0);
    this.stackShift = this.slabs.stackShift;
    this.stacks = this.slabs.stacks;
  }

  allocate(kind: Kind, sizeBytes: number): Ref {
    const granules = (sizeBytes + 63) >> granuleBits;
    const isSmall = (granules - 1) >>> 0 < l1Granules && (sizeBytes | 0) === sizeBytes;
    if (!isSmall || (kind | 0) !== kind || kind >>> 0 >= kindCount) {
      return this.allocateRun(kind, sizeBytes);
    }
    const { stacks } = this;
    const stack = (kind << kindShift) | (classes[granules] as number);
    const base = stack << this.stackShift;
    if (stacks[base + depthCell] === 0 && !this.refill(stack)) return 0;
    const depth = (stacks[base + depthCell] as number) - 1;
    stacks[base + depthCell] = depth;
    const ref = stacks[base + firstCell + depth] as Ref;
    const granule = ref & this.granuleMask;
    const view = this.views[ref >> this.segmentShift] as SegmentView;
    const { counters } = this;
    const count = readWord(counters, allocations);
    writeWord(counters, allocationUnderWay, ref | (count << 31));
    setWordBits(view.bits, (granule >> 5) << wordShift, 1 << (granule & 31));
    writeWord(counters, allocations, count + 1);
    if (count === -1) this.carry(allocations);
    return ref;
  }

  free(ref: Ref, kind: Kind): void {
    const number = ref >>> this.segmentShift;
    if ((ref | 0) !== ref || number >= this.quickViews.length) return this.freeSlowly(ref, kind);
    const view = this.quickViews[number] as SegmentView;
    const granule = ref & this.granuleMask;
    const header = readWord(view.headers, (granule >> this.windowShift) << headerShift);
    // One comparison: a slab, of this owner, of this kind.
    if ((header >> kindShift) - this.ownSlab !== kind) return this.freeRun(ref, kind, view);
    const { bits } = view;
    const at = (granule >> 5) << wordShift;
    const bit = 1 << (granule & 31);
    if ((readWord(bits, at) & ~readWord(bits, at + remoteWord) & bit) === 0) {
      return this.freeSlowly(ref, kind);
    }
    if ((readWord(bits, at + keptWord) & bit) !== 0) clearShared(bits, at + keptWord, ~bit);
    // What push does, written out: V8 would call it, which costs a twentieth.
    const { stacks, counters } = this;
    const count = readWord(counters, frees);
    writeWord(counters, freeUnderWay, ref | (count << 31));
    clearWordBits(bits, at, bit);
    writeWord(counters, frees, count + 1);
    if (count === -1) this.carry(frees);
    const base = (header & stackBits) << this.stackShift;
    const depth = stacks[base + depthCell] as number;
    if (depth === stacks[base + limitCell]) return this.pushClaimed(header & stackBits, ref);
    stacks[base + firstCell + depth] = ref;
    stacks[base + depthCell] = depth + 1;
  }

  allocateNearer(than: Ref): Ref {
    this.mustWrite();
    const head = this.lookup.liveHead(than) || this.lookup.rejectForeign(than);
    const fresh = head & ~(layout.headKept | layout.headRemote);
    const ref = this.runs.allocateNearer(fresh, layout.lengthOf(head), than);
    if (ref !== 0) countOne(this.counters, allocations);
    return ref;
  }

  keep(ref: Ref): void {
    const number = ref >>> this.segmentShift;
    if ((ref | 0) === ref && number < this.quickViews.length) {
      const view = this.quickViews[number] as SegmentView;
      const granule = ref & this.granuleMask;
      const header = readWord(view.headers, (granule >> this.windowShift) << headerShift);
      const at = (granule >> 5) << wordShift;
      const bit = 1 << (granule & 31);
      const live = readWord(view.bits, at) & ~readWord(view.bits, at + remoteWord);
      if (header !== 0 && (live & bit) !== 0) {
        setShared(view.bits, at + keptWord, bit);
        return;
      }
    }
    this.setKept(ref, true);
  }

  unkeep(ref: Ref): void {
    this.setKept(ref, false);
  }

  retain(ref: Ref): void {
    this.mustWrite();
    const pages = Math.ceil(this.sizeOf(ref) / pageBytes);
    const view = this.lookup.viewOf(ref) as SegmentView;
    retainPages(view, this.region.slabShift, this.lookup.granuleOf(ref) >> pageGranules, pages);
  }

  get usedBytes(): number {
    this.follow();
    return this.runs.usedPages() * pageBytes;
  }

  get freeBytes(): number {
    const { usedBytes } = this;
    return Math.max(0, Math.min(this.runs.dataPages, this.runs.limitPages) * pageBytes - usedBytes);
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
      const fromByte = this.lookup.granuleOf(ref) << granuleBits;
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
  }

  /** The other half of a 64-bit counter. */
  private carry(word: number): void {
    writeWord(this.counters, word + 1, readWord(this.counters, word + 1) + 1);
  }

  /** Fills an empty stack, growing the region if need be. */
  private refill(stack: number): boolean {
    this.mustWrite();
    this.notice();
    let filled = this.slabs.refill(stack);
    if (!filled) {
      this.relieveAll();
      filled =
        this.slabs.refill(stack) ||
        (this.runs.grow(this.runs.slabPages) && this.slabs.refill(stack));
    }
    if (filled) return true;
    refuseBlocked(this.runs);
    countOne(this.counters, counterWords.failures);
    return false;
  }

  /** Clears a block's live bit, counts it and pushes it. */
  protected push(stack: number, ref: Ref, bits: Words, at: number, bit: number): void {
    const { counters } = this;
    const count = readWord(counters, frees);
    writeWord(counters, freeUnderWay, ref | (count << 31));
    clearWordBits(bits, at, bit);
    writeWord(counters, frees, count + 1);
    if (count === -1) this.carry(frees);
    this.pushClaimed(stack, ref);
  }

  /** Pushes a block that is neither live nor free. */
  private pushClaimed(stack: number, ref: Ref): void {
    const { stacks } = this;
    const base = stack << this.stackShift;
    if (stacks[base + depthCell] === stacks[base + limitCell]) this.slabs.spillHalf(stack);
    const depth = stacks[base + depthCell] as number;
    stacks[base + firstCell + depth] = ref;
    stacks[base + depthCell] = depth + 1;
  }

  /** Frees a run of this owner's; all else goes the slow way. */
  private freeRun(ref: Ref, kind: Kind, view: SegmentView): void {
    const granule = ref & this.granuleMask;
    const page = granule >> pageGranules;
    if (page << pageGranules !== granule || page >= view.layout.pages) {
      return this.freeSlowly(ref, kind);
    }
    const { table } = view;
    const head = table.head(page);
    const pages = layout.lengthOf(head);
    const isMine =
      (head & ~layout.headKept) ===
        layout.packHead(layout.stateRun, kind, layout.headLive, pages) &&
      table.owner(page) === this.owner.slot;
    if (!isMine || (kind | 0) !== kind) return this.freeSlowly(ref, kind);
    this.claim(ref, view, page);
    if (kind !== 0 && this.cache.takes(pages)) this.cache.push(ref, pages);
    else this.runs.release(view.segment.number, page);
  }

  /** Forgets what was held in private: it has been recovered. */
  private rebuild(): void {
    this.cache.drain(() => undefined);
    this.runs = this.newRuns();
    this.slabs = new Slabs(this.region, this.runs, this.owner);
    this.stacks = this.slabs.stacks;
  }
}
