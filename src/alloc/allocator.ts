/**
 * The allocator of a pool: three tiers over one page table, for one owner.
 *
 * allocate and free of L1 stand here in full, because they are the hot path: integer work on three words of pool memory (slab header,
 * live bits, kept bits), a private stack, and a counter. Everything else is a call away.
 */

import { fail } from '../errors.ts';
import { granuleShift, pageBytes, pageShift, type Ref, type Region } from '../memory/region.ts';
import { peek, poke, zero, type Words } from '../memory/words.ts';
import type { Allocator, AllocatorOptions, AllocatorStats, Block, MapCell, Marks } from './api.ts';
import { checkBooks, checkCounters } from './check-books.ts';
import { checkSegment, faultsMax } from './check.ts';
import { classBytes, classCount, classGranulesMax, classOfGranules } from './classes.ts';
import {
  bump,
  counterWords,
  ownerCounters,
  readCounter,
  sumCounter,
  writeCounter,
} from './counters.ts';
import { type Kind, kinds } from './kind.ts';
import {
  headKept,
  headLive,
  kindOfHead,
  lengthOf,
  pageGranuleShift,
  slabHeaderShift,
  slabOwnerShift,
  slabValid,
  stackMask,
  stateExtent,
  stateFree,
  stateOf,
  stateRun,
} from './layout.ts';
import { MarkSet } from './marks.ts';
import { mapMemory } from './memory-map.ts';
import { formatSegment } from './pages.ts';
import { type Recovered, recoverSegment } from './recover.ts';
import { RunSpace } from './runs.ts';
import { type SegmentView, viewSegment } from './segment-view.ts';
import { Slabs } from './slabs.ts';
import { bookedTotals, statsFrom, survey } from './stats.ts';
import { walkBlocks } from './walk.ts';

const kindCount = kinds.length;
const kindOfStackShift = 5;

/** What `#stackOf` gives for a reference into no live slab block. */
const notInSlab = -1;

export class PoolAllocator implements Allocator {
  readonly region: Region;
  readonly maxAllocationBytes: number;

  readonly #owner: number;
  readonly #zeroKinds: number;
  readonly #writes: boolean;
  readonly #counters: Words;
  readonly #views: SegmentView[] = [];
  #runs: RunSpace;
  #slabs: Slabs;

  // What the hot path reads, taken out of the books above.
  readonly #segmentShift: number;
  readonly #granuleMask: number;
  readonly #windowShift: number;
  /** The header of an own slab of kind 0, shifted to the kind. */
  readonly #ownSlab: number;
  #headers: Words[];
  #liveKept: Words[];
  #cells: Int32Array;
  #tops: Int32Array;
  #limits: Int32Array;
  #stackShift: number;

  /** @throws pool_corrupt */
  constructor(region: Region, options: AllocatorOptions) {
    const owner = options.owner ?? Math.max(region.ownerSlot, 0);
    this.region = region;
    this.#owner = owner;
    this.#zeroKinds = options.zeroKinds ?? 0;
    this.#writes = !region.readOnly && region.ownerSlot === owner && owner === 0;
    this.#counters = ownerCounters(region, owner);
    this.#segmentShift = region.segmentShift - granuleShift;
    this.#granuleMask = (1 << this.#segmentShift) - 1;
    this.#windowShift = region.slabShift - granuleShift;
    this.#ownSlab = (slabValid | (owner << slabOwnerShift)) >> kindOfStackShift;
    for (const segment of region.segments) this.#views.push(viewSegment(segment, region.slabShift));
    this.#runs = this.#newRuns();
    this.#slabs = new Slabs(region, this.#runs, owner);
    this.#headers = this.#slabs.headers;
    this.#liveKept = this.#slabs.liveKept;
    this.#cells = this.#slabs.cells;
    this.#tops = this.#slabs.tops;
    this.#limits = this.#slabs.limits;
    this.#stackShift = this.#slabs.stackShift;
    this.#attachAll();
    const dataBytes = this.#views.map(({ layout }) => (layout.pages - layout.dataPage) * pageBytes);
    this.maxAllocationBytes = Math.max(...dataBytes);
  }

  allocate(kind: Kind, sizeBytes: number): Ref {
    const granules = (sizeBytes + 63) >> granuleShift;
    if (
      (sizeBytes | 0) !== sizeBytes ||
      granules > classGranulesMax ||
      granules < 1 ||
      (kind | 0) !== kind ||
      kind >>> 0 >= kindCount
    ) {
      return this.#allocateRun(kind, sizeBytes);
    }
    const stack = (kind << kindOfStackShift) | (classOfGranules[granules] as number);
    if (this.#tops[stack] === 0 && !this.#refill(stack)) return 0;
    const top = (this.#tops[stack] as number) - 1;
    this.#tops[stack] = top;
    const ref = this.#cells[(stack << this.#stackShift) + top] as Ref;
    const granule = ref & this.#granuleMask;
    const words = this.#liveKept[ref >> this.#segmentShift] as Words;
    const word = (granule >> 5) << 1;
    poke(words, word, peek(words, word) | (1 << (granule & 31)));
    bump(this.#counters, counterWords.allocations);
    return ref;
  }

  free(ref: Ref, kind: Kind): void {
    const number = ref >>> this.#segmentShift;
    if ((ref | 0) !== ref || number >= this.#headers.length) return this.#freeRun(ref, kind);
    const granule = ref & this.#granuleMask;
    const header = peek(
      this.#headers[number] as Words,
      (granule >> this.#windowShift) << slabHeaderShift,
    );
    // One comparison: a slab, of this owner, of this kind.
    if ((header >> kindOfStackShift) - this.#ownSlab !== kind) return this.#freeRun(ref, kind);
    const words = this.#liveKept[number] as Words;
    const word = (granule >> 5) << 1;
    const bit = 1 << (granule & 31);
    const live = peek(words, word);
    if ((live & bit) === 0) return this.#freeRun(ref, kind);
    const kept = peek(words, word + 1);
    if ((kept & bit) !== 0) poke(words, word + 1, kept & ~bit);
    if (((this.#zeroKinds >> kind) & 1) === 1) this.#zeroBlock(number, granule, header);
    poke(words, word, live & ~bit);
    const stack = header & stackMask;
    if (this.#tops[stack] === this.#limits[stack])
      this.#slabs.spill(stack, (this.#limits[stack] as number) >> 1);
    const top = this.#tops[stack] as number;
    this.#cells[(stack << this.#stackShift) + top] = ref;
    this.#tops[stack] = top + 1;
    bump(this.#counters, counterWords.frees);
  }

  keep(ref: Ref): void {
    this.#setKept(ref, true);
  }

  unkeep(ref: Ref): void {
    this.#setKept(ref, false);
  }

  sizeOf(ref: Ref): number {
    const stack = this.#stackOf(ref);
    if (stack !== notInSlab) return classBytes(stack % classCount);
    return lengthOf(this.#liveHead(ref) || this.#foreign(ref)) << pageShift;
  }

  kindOf(ref: Ref): Kind {
    const stack = this.#stackOf(ref);
    if (stack !== notInSlab) return stack >> kindOfStackShift;
    return kindOfHead(this.#liveHead(ref) || this.#foreign(ref));
  }

  isLive(ref: Ref): boolean {
    return this.#stackOf(ref) !== notInSlab || this.#liveHead(ref) !== 0;
  }

  setLimitBytes(limitBytes: number): void {
    if (!(limitBytes >= 0)) fail('invalid_argument', `limitBytes is ${limitBytes}`);
    this.#runs.limitPages = Math.min(Math.floor(limitBytes / pageBytes), 2 ** 31);
    this.#runs.resumeGrowth();
  }

  dropEmptySegments(): number {
    this.flush();
    let dropped = 0;
    while (this.#runs.dropLast()) {
      this.#slabs.dropSegment();
      dropped++;
    }
    return dropped;
  }

  recover(): { readonly freedBlocks: number; readonly freedBytes: number } {
    if (!this.#writes && !this.region.readOnly) this.#mustWrite();
    const result: Recovered = { freedBlocks: 0, freedBytes: 0, liveBlocks: 0 };
    const rules = {
      slabShift: this.region.slabShift,
      zeroKinds: this.#zeroKinds,
      owner: this.#owner,
      table: this.#slabs.table,
    };
    for (const view of this.#views) recoverSegment(view, rules, result);
    this.#balanceCounters(result.liveBlocks);
    this.#rebuild();
    return { freedBlocks: result.freedBlocks, freedBytes: result.freedBytes };
  }

  newMarks(): Marks {
    return new MarkSet(this.region);
  }

  sweep(marks: Marks): { readonly freedBlocks: number; readonly freedBytes: number } {
    this.#mustWrite();
    const unmarked: Ref[] = [];
    let freedBytes = 0;
    this.walk(({ ref, kept, sizeBytes }) => {
      if (marks.has(ref)) {
        if (!kept) this.keep(ref);
        return;
      }
      unmarked.push(ref);
      freedBytes += sizeBytes;
    });
    for (const ref of unmarked) this.free(ref, this.kindOf(ref));
    return { freedBlocks: unmarked.length, freedBytes };
  }

  walk(visit: (block: Block) => void): void {
    this.#follow();
    for (const view of this.#views) walkBlocks(view, this.region, visit);
  }

  check(): string[] {
    this.#follow();
    const faults: string[] = [];
    const report = (fault: string): void => {
      if (faults.length < faultsMax) faults.push(fault);
    };
    for (const view of this.#views)
      checkSegment(view, this.region.slabShift, this.#slabs.table, report);
    const counted = survey(this.#views, this.region.slabShift, () => undefined);
    checkCounters(this.region, counted, report);
    if (this.#writes) checkBooks(this.#runs, this.#slabs, counted, report);
    return faults;
  }

  stats(): AllocatorStats {
    this.#follow();
    const { region } = this;
    const totals = this.#writes
      ? bookedTotals(this.#runs, this.#slabs)
      : survey(this.#views, region.slabShift, () => undefined);
    const reservedBytes = this.#views.reduce((sum, { segment }) => sum + segment.sizeBytes, 0);
    return statsFrom(totals, reservedBytes, 2 ** region.slabShift, {
      allocations: sumCounter(region, 'allocations'),
      frees: sumCounter(region, 'frees'),
      failures: sumCounter(region, 'failures'),
    });
  }

  memoryMap(cells: number): MapCell[] {
    this.#follow();
    return mapMemory(this.#views, this.region.slabShift, cells);
  }

  flush(): void {
    this.#mustWrite();
    this.#slabs.flush();
  }

  /** Fills an empty stack, growing the region if need be. */
  #refill(stack: number): boolean {
    this.#mustWrite();
    const filled =
      this.#slabs.refill(stack) ||
      (this.#slabs.flush() && this.#slabs.refill(stack)) ||
      (this.#runs.grow(this.#runs.slabPages) && this.#slabs.refill(stack));
    if (!filled) bump(this.#counters, counterWords.failures);
    return filled;
  }

  /** L2 and L3, and every request that is not in order. */
  #allocateRun(kind: Kind, sizeBytes: number): Ref {
    if (!Number.isInteger(kind) || kind < 0 || kind >= kindCount)
      fail('invalid_argument', `${kind} is not a kind`);
    if (!Number.isInteger(sizeBytes) || sizeBytes < 1)
      fail('invalid_argument', `cannot allocate ${sizeBytes} bytes`);
    if (sizeBytes > this.maxAllocationBytes) {
      fail(
        'value_too_large',
        `cannot allocate ${sizeBytes} bytes: a segment has ${this.maxAllocationBytes}`,
      );
    }
    this.#mustWrite();
    const pages = Math.ceil(sizeBytes / pageBytes);
    let ref = this.#runs.allocateRun(kind, pages);
    if (ref === 0 && this.#slabs.flush()) ref = this.#runs.allocateRun(kind, pages);
    while (ref === 0 && this.#runs.grow(pages)) ref = this.#runs.allocateRun(kind, pages);
    bump(this.#counters, ref === 0 ? counterWords.failures : counterWords.allocations);
    return ref;
  }

  /** Frees a run or an extent; finds out what is wrong with a reference that is neither that nor a block to free. */
  #freeRun(ref: Ref, kind: Kind): void {
    this.#mustWrite();
    const stack = this.#stackOf(ref);
    const head = stack === notInSlab ? this.#liveHead(ref) : 0;
    if (stack === notInSlab && head === 0) this.#notLive(ref);
    const actual = stack === notInSlab ? kindOfHead(head) : stack >> kindOfStackShift;
    if (actual !== kind)
      fail(
        'wrong_kind',
        `reference ${ref} is of kind ${kinds[actual]}, not ${kinds[kind] ?? kind}`,
      );
    const number = ref >> this.#segmentShift;
    const page = (ref & this.#granuleMask) >> pageGranuleShift;
    const { table, segment } = this.#views[number] as SegmentView;
    if ((head & headKept) !== 0) table.setHead(page, head & ~headKept);
    if (((this.#zeroKinds >> kind) & 1) === 1) {
      zero(segment.bytes, page << pageShift, (page + lengthOf(head)) << pageShift);
    }
    this.#runs.release(number, page);
    bump(this.#counters, counterWords.frees);
  }

  #zeroBlock(number: number, granule: number, header: number): void {
    const { segment } = this.#views[number] as SegmentView;
    const fromByte = granule << granuleShift;
    zero(segment.bytes, fromByte, fromByte + classBytes(header % classCount));
  }

  #notLive(ref: Ref): never {
    if (this.#isInside(ref)) {
      const { table, headers } = this.#views[ref >> this.#segmentShift] as SegmentView;
      const granule = ref & this.#granuleMask;
      const header = peek(headers, (granule >> this.#windowShift) << slabHeaderShift);
      const { starts, slabWords } = this.#slabs.table;
      const word = (header % classCount) * slabWords + ((granule >> 5) & (slabWords - 1));
      const startsBlock =
        header === 0
          ? granule % (1 << pageGranuleShift) === 0 &&
            stateOf(table.head(granule >> pageGranuleShift)) === stateFree
          : (((starts[word] as number) >>> (granule & 31)) & 1) === 1;
      if (startsBlock) fail('double_free', `reference ${ref} is free already`);
    }
    return this.#foreign(ref);
  }

  #foreign(ref: Ref): never {
    return fail('foreign_reference', `reference ${ref} is not the start of a live allocation`);
  }

  #isInside(ref: Ref): boolean {
    if ((ref | 0) !== ref || ref < 0) return false;
    this.#follow();
    const view = this.#views[ref >> this.#segmentShift];
    return view !== undefined && (ref & this.#granuleMask) >> pageGranuleShift < view.layout.pages;
  }

  /** Kind and class of a live block in a slab, or notInSlab. */
  #stackOf(ref: Ref): number {
    if (!this.#isInside(ref)) return notInSlab;
    const { headers, liveKept } = this.#views[ref >> this.#segmentShift] as SegmentView;
    const granule = ref & this.#granuleMask;
    const header = peek(headers, (granule >> this.#windowShift) << slabHeaderShift);
    if (header === 0) return notInSlab;
    const live = peek(liveKept, (granule >> 5) << 1);
    return ((live >>> (granule & 31)) & 1) === 1 ? header & stackMask : notInSlab;
  }

  /** The descriptor of a live run or extent that starts at `ref`, or 0. */
  #liveHead(ref: Ref): number {
    if (!this.#isInside(ref) || (ref & ((1 << pageGranuleShift) - 1)) !== 0) return 0;
    const { table } = this.#views[ref >> this.#segmentShift] as SegmentView;
    const head = table.head((ref & this.#granuleMask) >> pageGranuleShift);
    const state = stateOf(head);
    return (state === stateRun || state === stateExtent) && (head & headLive) !== 0 ? head : 0;
  }

  #setKept(ref: Ref, kept: boolean): void {
    this.#mustWrite();
    const inSlab = this.#stackOf(ref) !== notInSlab;
    const head = inSlab ? 0 : this.#liveHead(ref) || this.#foreign(ref);
    const { table, liveKept } = this.#views[ref >> this.#segmentShift] as SegmentView;
    const granule = ref & this.#granuleMask;
    if (!inSlab) {
      table.setHead(granule >> pageGranuleShift, kept ? head | headKept : head & ~headKept);
      return;
    }
    const word = ((granule >> 5) << 1) + 1;
    const bit = 1 << (granule & 31);
    const before = peek(liveKept, word);
    poke(liveKept, word, kept ? before | bit : before & ~bit);
  }

  #mustWrite(): void {
    if (!this.#writes) fail('read_only', 'this thread has the pool for reading');
  }

  #newRuns(): RunSpace {
    return new RunSpace(this.region, this.#views, this.#owner, (view) =>
      this.#slabs.addSegment(view),
    );
  }

  #attachAll(): void {
    if (!this.#writes) return; // a reader keeps no books: the slow paths tell it so
    for (const [number, view] of this.#views.entries()) {
      this.#slabs.addSegment(view);
      this.#runs.attach(view, (page) => this.#slabs.attachSlab(number, page));
    }
  }

  /** Makes the books anew from memory. */
  #rebuild(): void {
    const { limitPages } = this.#runs;
    this.#runs = this.#newRuns();
    this.#runs.limitPages = limitPages;
    this.#slabs = new Slabs(this.region, this.#runs, this.#owner);
    this.#headers = this.#slabs.headers;
    this.#liveKept = this.#slabs.liveKept;
    this.#cells = this.#slabs.cells;
    this.#tops = this.#slabs.tops;
    this.#limits = this.#slabs.limits;
    this.#stackShift = this.#slabs.stackShift;
    this.#attachAll();
  }

  /** Where this thread only reads: takes in segments that the writer has added or dropped meanwhile. */
  #follow(): void {
    const { segments, slabShift } = this.region;
    if (
      this.#writes ||
      (segments.length === this.#views.length && segments.at(-1) === this.#views.at(-1)?.segment)
    )
      return;
    this.#views.length = 0;
    for (const segment of segments) this.#views.push(viewSegment(segment, slabShift));
  }

  /** What a crash left between a change and its count: counters are monotone, so the one that lags is raised. */
  #balanceCounters(liveBlocks: number): void {
    const { allocations, frees } = counterWords;
    const allocated = sumCounter(this.region, 'allocations');
    const freed = sumCounter(this.region, 'frees');
    const lag = allocated - freed - liveBlocks;
    const word = lag > 0 ? frees : allocations;
    if (lag !== 0)
      writeCounter(this.#counters, word, readCounter(this.#counters, word) + Math.abs(lag));
  }
}

/** Formats the segments of a new region, all zero behind their headers, and gives their allocator. */
export function createAllocator(region: Region, options: AllocatorOptions = {}): PoolAllocator {
  for (const segment of region.segments)
    formatSegment(segment, viewSegment(segment, region.slabShift).layout);
  return new PoolAllocator(region, options);
}

/**
 * The allocator of an existing region. Jumps from run to run and reads slab headers: no work per block. After a crash `recover` must
 * come before anything that changes the pool.
 * @throws pool_corrupt
 */
export function openAllocator(region: Region, options: AllocatorOptions = {}): PoolAllocator {
  return new PoolAllocator(region, options);
}
