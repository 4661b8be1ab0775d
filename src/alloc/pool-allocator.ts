/**
 * The allocator of a pool: three tiers over one page table, for one owner.
 *
 * allocate and free of L1 stand here in full, because they are the hot path: integer work on two
 * words of pool memory (slab header; live and kept bits), a private stack, and a counter.
 * Everything else is a call away.
 */

import { fail } from '../errors.ts';
import { granuleShift, pageBytes, type Ref, type Region } from '../memory/region.ts';
import { clearBits, increment, peek, setBits, type Words, zero } from '../memory/words.ts';
import type { Allocator, AllocatorOptions, Marks } from './api.ts';
import { classGranulesMax, classOfGranules } from './classes.ts';
import { balanceCounters, counterWords, ownerCounters } from './counters.ts';
import { Inspector } from './inspector.ts';
import { type Kind, kinds } from './kind.ts';
import * as layout from './layout.ts';
import { notInSlab } from './lookup.ts';
import { checkRequest } from './request.ts';
import { type Recovered, recoverSegment, sweepUnmarked } from './recover.ts';
import { RunSpace } from './runs.ts';
import type { SegmentView } from './segment-view.ts';
import { Slabs, stackCells, stackDepth, stackLimit } from './slabs.ts';

// V8 folds a module's own constants into optimised code, but loads an imported one at each use,
// with two checks. These copies, and plain fields in place of #private ones, take an allocate or
// free from 18.0 to 12.1 ns.
const readWord = peek;
const setWordBits = setBits;
const clearWordBits = clearBits;
const addOne = increment;
const granuleBits = granuleShift;
const classes = classOfGranules;
const l1Granules = classGranulesMax;
const liveShift = layout.liveWordShift;
const liveKeptBits = layout.liveAndKept;
const liveBits = layout.liveMask;
const headerShift = layout.slabHeaderShift;
const stackBits = layout.stackMask;
const kindShift = layout.kindOfStackShift;
const depthCell = stackDepth;
const limitCell = stackLimit;
const firstCell = stackCells;
const allocations = counterWords.allocations;
const frees = counterWords.frees;
const kindCount = kinds.length;

export class PoolAllocator extends Inspector implements Allocator {
  private readonly owner: number;
  private readonly zeroKinds: number;
  private readonly counters: Words;
  private readonly segmentShift: number;
  private readonly granuleMask: number;
  private readonly windowShift: number;
  /** The header of an own slab of kind 0, shifted to the kind. */
  private readonly ownSlab: number;
  runs: RunSpace;
  slabs: Slabs;
  /** Segments whose blocks `free` frees at once: none where a kind is zeroed, nor for a reader. */
  private readonly quickViews: readonly SegmentView[];
  /** Taken out of `slabs` for the hot path. */
  private stacks: Int32Array;
  private readonly stackShift: number;

  /** @throws pool_corrupt */
  constructor(region: Region, options: AllocatorOptions) {
    const owner = options.owner ?? Math.max(region.ownerSlot, 0);
    super(region, !region.readOnly && region.ownerSlot === owner && owner === 0);
    this.owner = owner;
    this.zeroKinds = options.zeroKinds ?? 0;
    this.counters = ownerCounters(region, owner);
    this.segmentShift = region.segmentShift - granuleShift;
    this.granuleMask = (1 << this.segmentShift) - 1;
    this.windowShift = region.slabShift - granuleShift;
    this.ownSlab = layout.packSlab(0, owner) >> kindShift;
    this.quickViews = this.writes && this.zeroKinds === 0 ? this.views : this.views.slice(0, 0);
    this.runs = this.newRuns();
    this.slabs = new Slabs(region, this.runs, owner);
    this.stackShift = this.slabs.stackShift;
    this.stacks = this.slabs.stacks;
    this.attachAll();
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
    setWordBits(view.liveKept, granule >> liveShift, 1 << (granule & 15));
    this.count(allocations);
    return ref;
  }

  free(ref: Ref, kind: Kind): void {
    const number = ref >>> this.segmentShift;
    if ((ref | 0) !== ref || number >= this.quickViews.length) return this.freeSlowly(ref, kind);
    const view = this.quickViews[number] as SegmentView;
    const granule = ref & this.granuleMask;
    const header = readWord(view.headers, (granule >> this.windowShift) << headerShift);
    // One comparison: a slab, of this owner, of this kind.
    if ((header >> kindShift) - this.ownSlab !== kind) return this.freeSlowly(ref, kind);
    const bits = liveKeptBits << (granule & 15);
    // Where no block is live both bits are clear already: nothing has changed.
    const before = clearWordBits(view.liveKept, granule >> liveShift, bits);
    if ((before & bits & liveBits) === 0) return this.freeSlowly(ref, kind);
    this.push(header & stackBits, ref);
  }

  keep(ref: Ref): void {
    this.setKept(ref, true);
  }

  unkeep(ref: Ref): void {
    this.setKept(ref, false);
  }

  setLimitBytes(limitBytes: number): void {
    if (!(limitBytes >= 0)) fail('invalid_argument', `limitBytes is ${limitBytes}`);
    this.runs.setLimit(Math.floor(limitBytes / pageBytes));
  }

  dropEmptySegments(): number {
    this.flush();
    let dropped = 0;
    while (this.runs.dropLast()) dropped++;
    return dropped;
  }

  recover(): { readonly freedBlocks: number; readonly freedBytes: number } {
    const { region, owner, zeroKinds } = this;
    if (!region.readOnly) this.mustWrite(); // what a private copy recovers reaches nobody
    this.follow();
    const result: Recovered = { freedBlocks: 0, freedBytes: 0, liveBlocks: 0 };
    const rules = { slabShift: region.slabShift, zeroKinds, owner };
    for (const view of this.views) recoverSegment(view, rules, result);
    balanceCounters(region, owner, result.liveBlocks);
    this.rebuild();
    return { freedBlocks: result.freedBlocks, freedBytes: result.freedBytes };
  }

  sweep(marks: Marks): { readonly freedBlocks: number; readonly freedBytes: number } {
    this.mustWrite();
    return sweepUnmarked(this, marks);
  }

  flush(): void {
    this.mustWrite();
    this.slabs.flush();
  }

  /** Adds one to a 64-bit counter. */
  private count(word: number): void {
    if (addOne(this.counters, word) === 0) addOne(this.counters, word + 1);
  }

  /** Fills an empty stack, growing the region if need be. */
  private refill(stack: number): boolean {
    this.mustWrite();
    const filled =
      this.slabs.refill(stack) ||
      (this.slabs.flush() && this.slabs.refill(stack)) ||
      (this.runs.grow(this.runs.slabPages) && this.slabs.refill(stack));
    if (!filled) this.count(counterWords.failures);
    return filled;
  }

  /** L2 and L3, and every request that is not in order. */
  private allocateRun(kind: Kind, sizeBytes: number): Ref {
    checkRequest(kind, sizeBytes, this.region, this.views);
    this.mustWrite();
    const pages = Math.ceil(sizeBytes / pageBytes);
    let ref = this.runs.allocateRun(kind, pages);
    if (ref === 0 && this.slabs.flush()) ref = this.runs.allocateRun(kind, pages);
    while (ref === 0 && this.runs.grow(pages)) ref = this.runs.allocateRun(kind, pages);
    this.count(ref === 0 ? counterWords.failures : allocations);
    return ref;
  }

  /** Pushes a block that was live, and counts it. */
  private push(stack: number, ref: Ref): void {
    const { stacks } = this;
    const base = stack << this.stackShift;
    if (stacks[base + depthCell] === stacks[base + limitCell]) this.slabs.spillHalf(stack);
    const depth = stacks[base + depthCell] as number;
    stacks[base + firstCell + depth] = ref;
    stacks[base + depthCell] = depth + 1;
    this.count(frees);
  }

  /** Frees runs, extents and what is to be zeroed; says what is wrong with any other reference. */
  private freeSlowly(ref: Ref, kind: Kind): void {
    this.mustWrite();
    const stack = this.lookup.stackOf(ref);
    const head = stack === notInSlab ? this.lookup.liveHead(ref) || this.lookup.rejectFree(ref) : 0;
    const actual = stack === notInSlab ? layout.kindOfHead(head) : stack >> kindShift;
    if (actual !== kind) {
      const given = kinds[kind] ?? kind;
      fail('wrong_kind', `reference ${ref} is of kind ${kinds[actual]}, not ${given}`);
    }
    const { segment, liveKept } = this.lookup.viewOf(ref) as SegmentView;
    const granule = this.lookup.granuleOf(ref);
    this.setKept(ref, false); // first, so that no crash leaves a kept block half zeroed
    if (((this.zeroKinds >> kind) & 1) === 1) {
      const fromByte = granule << granuleShift;
      zero(segment.bytes, fromByte, fromByte + this.sizeOf(ref));
    }
    if (stack === notInSlab) {
      this.runs.release(segment.number, granule >> layout.pageGranuleShift);
      this.count(frees);
      return;
    }
    clearBits(liveKept, granule >> liveShift, 1 << (granule & 15));
    this.push(stack, ref);
  }

  private setKept(ref: Ref, kept: boolean): void {
    this.mustWrite();
    const inSlab = this.lookup.stackOf(ref) !== notInSlab;
    const head = inSlab ? 0 : this.lookup.liveHead(ref) || this.lookup.rejectForeign(ref);
    const { table, liveKept } = this.lookup.viewOf(ref) as SegmentView;
    const granule = this.lookup.granuleOf(ref);
    if (inSlab) {
      const bit = 1 << (layout.keptShift + (granule & 15));
      if (kept) setBits(liveKept, granule >> liveShift, bit);
      else clearBits(liveKept, granule >> liveShift, bit);
      return;
    }
    const changed = kept ? head | layout.headKept : head & ~layout.headKept;
    if (changed !== head) table.setHead(granule >> layout.pageGranuleShift, changed);
  }

  private newRuns(): RunSpace {
    return new RunSpace(this.region, this.views, this.owner, () => this.slabs.coverSegments());
  }

  private attachAll(): void {
    if (!this.writes) return; // without books every change takes the slow path, which refuses it
    this.slabs.coverSegments();
    for (const [number, view] of this.views.entries()) {
      this.runs.attach(view, (page) => this.slabs.attachSlab(number, page));
    }
  }

  /** Makes the books anew from memory. */
  private rebuild(): void {
    const { limitPages } = this.runs;
    this.runs = this.newRuns();
    this.runs.setLimit(limitPages);
    this.slabs = new Slabs(this.region, this.runs, this.owner);
    this.stacks = this.slabs.stacks;
    this.attachAll();
  }
}
