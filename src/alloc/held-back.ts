/** What an owner holds back for itself, and gives back: when memory is short, and when others ask. */

import { granuleShift, type Ref, type Region, type Segment } from '../memory/region.ts';
import { countOwners } from '../memory/owners.ts';
import { add, peek, type Words } from '../memory/words.ts';
import type { AllocatorOptions } from './api.ts';
import { ownerCounters } from './counters.ts';
import { Inspector } from './inspector.ts';
import * as layout from './layout.ts';
import { notInSlab } from './lookup.ts';
import { recoverDead } from './recover-owner.ts';
import { RunCache } from './run-cache.ts';
import { type RunOwner, RunSpace } from './runs.ts';
import { Slabs } from './slabs.ts';
import { isSmall } from './stacks.ts';

export abstract class HeldBack extends Inspector {
  readonly owner: RunOwner;
  runs: RunSpace;
  slabs: Slabs;
  readonly cache: RunCache = new RunCache();
  protected readonly options: AllocatorOptions;
  protected readonly control: Words;
  // Written once, for the hot path (pool-allocator.ts).
  declare protected readonly counters: Words;
  declare protected readonly segmentShift: number;
  declare protected readonly granuleMask: number;
  protected pressure: number;
  private sharing: number;
  /** Whether a request is one of what is at hand (`allocateAtHand`). */
  protected isAtHand = false;

  /** @throws pool_corrupt */
  constructor(region: Region, options: AllocatorOptions) {
    super(region, !region.readOnly && region.ownerSlot >= 0);
    const slot = Math.max(region.ownerSlot, 0);
    this.options = options;
    this.counters = ownerCounters(region, slot);
    this.owner = { slot, counters: this.counters, zeroKinds: options.zeroKinds ?? 0 };
    this.control = (region.segments[0] as Segment).words;
    this.pressure = peek(this.control, layout.allocControl.pressure);
    this.sharing = peek(this.control, layout.allocControl.sharing);
    this.segmentShift = region.segmentShift - granuleShift;
    this.granuleMask = (1 << this.segmentShift) - 1;
    this.runs = this.newRuns();
    this.slabs = new Slabs(region, this.runs, this.owner);
    this.fitCache();
  }

  /** Gives back what this owner holds in private, and takes in what others and nobody have for it. */
  protected relieve(): void {
    this.pressure = peek(this.control, layout.allocControl.pressure);
    this.slabs.adoptAll();
    this.slabs.flush();
    this.drainCache(1);
    this.cache.mayBeLonger = false;
    this.fitCache();
  }

  /** Above the limit nothing is held back: it must not be handed out again. */
  protected fitCache(): void {
    const { runs } = this;
    const pages = runs.usedPages() > runs.limitPages ? 0 : runs.mostPages;
    const owners = countOwners(this.control, this.region.superblock.ownersMax);
    this.cache.fit(pages, owners, isSmall(this.region.slabShift));
  }

  /** What to do when no memory was found, before the region grows: of what is at hand there are only the runs of this owner. @returns whether pages came free */
  protected makeWay(pages: number): boolean {
    return this.isAtHand ? this.drainCache(pages) : this.relieveAll();
  }

  protected grow(pages: number): boolean {
    return (!this.isAtHand || this.runs.hasRoomToGrow) && this.runs.grow(pages);
  }

  /** Gives back the runs that this owner holds, if there are so many pages of them. @returns whether there were */
  private drainCache(pages: number): boolean {
    if (this.cache.pages < pages) return false;
    this.cache.drain((ref) => this.releaseRun(ref));
    return true;
  }

  /** What to do when no memory was found, before the region grows. @returns whether pages came free */
  private relieveAll(): boolean {
    const before = this.runs.usedPages();
    this.relieve();
    if (this.runs.usedPages() < before) return true;
    this.slabs.share('full');
    add(this.control, layout.allocControl.pressure, 1);
    this.pressure++;
    return this.options.recoversDead === true && recoverDead(this) > 0;
  }

  /** Answers to others who found no memory, or none that they could use. */
  notice(): void {
    const sharing = peek(this.control, layout.allocControl.sharing);
    const isAsked = sharing !== this.sharing;
    if (isAsked || peek(this.control, layout.allocControl.pressure) !== this.pressure) {
      this.relieve();
    }
    if (!isAsked) return;
    this.sharing = sharing;
    this.slabs.share('all');
  }

  isOthers(ref: Ref): boolean {
    this.follow();
    if (this.lookup.stackOf(ref) === notInSlab) return false;
    const owner = this.lookup.ownerOf(ref);
    return owner !== this.owner.slot && owner !== layout.nobody;
  }

  askToShare(): void {
    this.mustWrite();
    const before = add(this.control, layout.allocControl.sharing, 1);
    // What another has asked meanwhile is still to be answered.
    if (before === this.sharing) this.sharing = (before + 1) | 0;
  }

  protected releaseRun(ref: Ref): void {
    this.runs.release(
      ref >> this.segmentShift,
      (ref & this.granuleMask) >> layout.pageGranuleShift,
    );
  }

  protected newRuns(): RunSpace {
    return new RunSpace(this.region, this.views, this.owner, this.options.lockWaitMs, () => {
      this.slabs.coverSegments();
      this.fitCache();
    });
  }
}
