/**
 * What can be asked of an allocator's memory without changing it: all that an onlooker has, and what
 * owners have too.
 */

import { fail } from '../errors.ts';
import { pageShift, type Ref, type Region } from '../memory/region.ts';
import type { AllocatorStats, Block, MapCell, Marks, Verdict } from './api.ts';
import { checkAllocator } from './check-books.ts';
import { explainRequest } from './explain.ts';
import { classBytes, classCount } from './classes.ts';
import type { Kind } from './kind.ts';
import { kindOfHead, kindOfStackShift, lengthOf } from './layout.ts';
import { Lookup, notInSlab } from './lookup.ts';
import { MarkSet } from './marks.ts';
import { mapMemory } from './memory-map.ts';
import { checkRequest, largestAllocation } from './request.ts';
import type { RunCache } from './run-cache.ts';
import type { RunOwner, RunSpace } from './runs.ts';
import { followSegments, type SegmentView } from './segment-view.ts';
import type { Slabs } from './slabs.ts';
import { statsOf } from './stats.ts';
import { walkBlocks } from './walk.ts';

export abstract class Inspector {
  readonly region: Region;
  /** The books of an owner; an onlooker's are empty. */
  abstract readonly runs: RunSpace;
  abstract readonly slabs: Slabs;
  abstract readonly cache: RunCache;
  abstract readonly owner: RunOwner;

  protected readonly writes: boolean;
  protected readonly views: SegmentView[] = [];
  protected readonly lookup: Lookup;

  constructor(region: Region, writes: boolean) {
    this.region = region;
    this.writes = writes;
    followSegments(region, this.views);
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

  walk(visit: (block: Block) => void, damaged?: (page: number) => void): void {
    this.follow();
    for (const view of this.views) walkBlocks(view, this.region, visit, damaged);
  }

  check(): string[] {
    this.follow();
    return checkAllocator(this.region, this.views, this.writes ? this : undefined);
  }

  stats(): AllocatorStats {
    this.follow();
    return statsOf(this.region, this.views);
  }

  memoryMap(cells: number): MapCell[] {
    this.follow();
    return mapMemory(this.views, this.region.slabShift, cells);
  }

  explain(kind: Kind, sizeBytes: number): Verdict {
    this.follow();
    checkRequest(kind, sizeBytes, this.region, this.views);
    const { region, views, runs, owner } = this;
    const limitPages = runs.isLimited ? runs.limitPages : Infinity;
    const usedPages = runs.usedPages();
    return explainRequest(
      { region, views, owner: owner.slot, limitPages, usedPages, isSystemFull: runs.isSystemFull },
      kind,
      sizeBytes,
    );
  }

  protected mustWrite(): void {
    if (!this.writes) fail('read_only', 'this thread only looks on');
  }

  /** Takes in segments that came or went. */
  protected follow(): void {
    if (this.writes) this.runs.follow();
    else followSegments(this.region, this.views);
  }
}
