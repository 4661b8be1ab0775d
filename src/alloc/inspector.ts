/**
 * What can be asked of an allocator's memory without changing it: all that a thread which only reads
 * has, and what the writer has too.
 */

import { fail } from '../errors.ts';
import { pageShift, type Ref, type Region } from '../memory/region.ts';
import type { AllocatorStats, Block, MapCell, Marks } from './api.ts';
import { checkAllocator } from './check-books.ts';
import { classBytes, classCount } from './classes.ts';
import type { Kind } from './kind.ts';
import { kindOfHead, kindOfStackShift, lengthOf } from './layout.ts';
import { Lookup, notInSlab } from './lookup.ts';
import { MarkSet } from './marks.ts';
import { mapMemory } from './memory-map.ts';
import { largestAllocation } from './request.ts';
import type { RunSpace } from './runs.ts';
import { type SegmentView, viewSegment } from './segment-view.ts';
import type { Slabs } from './slabs.ts';
import { type Books, statsOf } from './stats.ts';
import { walkBlocks } from './walk.ts';

export abstract class Inspector {
  readonly region: Region;
  /** The books of a writer; a reader's are empty. */
  abstract readonly runs: RunSpace;
  abstract readonly slabs: Slabs;

  protected readonly writes: boolean;
  protected readonly views: SegmentView[];
  protected readonly lookup: Lookup;

  constructor(region: Region, writes: boolean) {
    this.region = region;
    this.writes = writes;
    this.views = region.segments.map((segment) => viewSegment(segment, region.slabShift));
    this.lookup = new Lookup(region, this.views);
  }

  get maxAllocationBytes(): number {
    this.follow();
    return largestAllocation(this.region, this.views);
  }

  sizeOf(ref: Ref): number {
    this.follow();
    const stack = this.lookup.stackOf(ref);
    if (stack !== notInSlab) return classBytes(stack % classCount);
    const head = this.lookup.liveHead(ref) || this.lookup.rejectForeign(ref);
    return lengthOf(head) << pageShift;
  }

  kindOf(ref: Ref): Kind {
    this.follow();
    const stack = this.lookup.stackOf(ref);
    if (stack !== notInSlab) return stack >> kindOfStackShift;
    return kindOfHead(this.lookup.liveHead(ref) || this.lookup.rejectForeign(ref));
  }

  isLive(ref: Ref): boolean {
    this.follow();
    return this.lookup.stackOf(ref) !== notInSlab || this.lookup.liveHead(ref) !== 0;
  }

  newMarks(): Marks {
    return new MarkSet(this.region);
  }

  walk(visit: (block: Block) => void): void {
    this.follow();
    for (const view of this.views) walkBlocks(view, this.region, visit);
  }

  check(): string[] {
    this.follow();
    return checkAllocator(this.region, this.views, this.books());
  }

  stats(): AllocatorStats {
    this.follow();
    return statsOf(this.region, this.views, this.books());
  }

  memoryMap(cells: number): MapCell[] {
    this.follow();
    return mapMemory(this.views, this.region.slabShift, cells);
  }

  protected mustWrite(): void {
    if (!this.writes) fail('read_only', 'this thread has the pool for reading');
  }

  /**
   * Where this thread only reads: takes in segments that the writer has added or dropped meanwhile.
   */
  protected follow(): void {
    if (this.writes) return;
    const { segments, slabShift } = this.region;
    if (segments.length === this.views.length && segments.at(-1) === this.views.at(-1)?.segment) {
      return;
    }
    this.views.length = 0;
    for (const segment of segments) this.views.push(viewSegment(segment, slabShift));
  }

  private books(): Books | undefined {
    return this.writes ? this : undefined;
  }
}
