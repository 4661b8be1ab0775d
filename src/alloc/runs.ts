/**
 * Page runs over all segments of a region: the substrate of slabs (L1), runs (L2) and extents (L3).
 * Grows the region when it must.
 *
 * A segment's page table and its index of free runs change under the segment's lock only. A search
 * begins in a segment of this owner's preference and passes over those that are locked; it waits,
 * with a bound, when nothing else is left.
 */

import { fail, hasCode } from '../errors.ts';
import { nextSegmentBytes } from '../memory/geometry.ts';
import { lockTokenOf, lockWaitOf } from '../memory/lock.ts';
import { granuleShift, pageShift, type Ref, type Region, type Segment } from '../memory/region.ts';
import { load, peek, poke, store, type Words } from '../memory/words.ts';
import * as absent from './absent.ts';
import { beginAllocation } from './counters.ts';
import { formatSegment } from './format.ts';
import { metadataKind } from './kind.ts';
import {
  absenceOf,
  allocControl,
  headAbsent,
  kindOfHead,
  packHead,
  pageGranuleShift,
  stateOf,
  stateSlab,
  usedPagesWord,
} from './layout.ts';
import { type LockKeeper, SegmentRuns } from './segment-runs.ts';
import { followSegments, type SegmentView } from './segment-view.ts';

/** More than a region can have. */
const pagesMax: number = 2 ** 30;

/** When growth failed for want of memory, so many exhausted requests pass before it is tried again. */
const growthRetryInterval = 64;

/** No reference: a segment was dropped before it was looked at, so all are to be looked at again. */
const gone = -1;

/** What a RunSpace works for. */
export interface RunOwner {
  readonly slot: number;
  readonly counters: Words;
  /** Kinds that are zeroed when freed. */
  readonly zeroKinds: number;
}

export class RunSpace {
  readonly region: Region;
  readonly views: SegmentView[];
  readonly segments: SegmentRuns[] = [];
  dataPages = 0;
  readonly slabPages: number;
  /** True when the last search passed over a segment whose lock its holder did not give back in time. */
  blocked = false;
  readonly #owner: RunOwner;
  readonly #control: Words;
  readonly #keeper: LockKeeper;
  readonly #onFollow: () => void;
  #growthPause = 0;
  /** True when the last search passed over a run whose memory the system did not have. */
  #refused = false;

  /**
   * @param views of all segments, shared with the other parts of an allocator; `follow` changes it
   * @param onFollow told after segments came or went
   */
  constructor(
    region: Region,
    views: SegmentView[],
    owner: RunOwner,
    lockWaitMs: number | undefined,
    onFollow: () => void,
  ) {
    this.region = region;
    this.views = views;
    this.slabPages = 1 << (region.slabShift - pageShift);
    this.#owner = owner;
    this.#control = (region.segments[0] as Segment).words;
    this.#keeper = {
      region,
      token: lockTokenOf(region),
      wait: lockWaitOf(region, lockWaitMs),
      zeroKinds: owner.zeroKinds,
    };
    this.#onFollow = onFollow;
    this.#cover();
  }

  /** A live run or extent. @returns 0 when exhausted: nothing has changed */
  allocateRun(head: number, pages: number): Ref {
    let ref = gone;
    while (ref === gone) ref = this.#search(head, pages);
    return ref;
  }

  /** A slab-aligned run for a slab. @returns 0 when exhausted: nothing has changed */
  allocateSlab(kind: number): Ref {
    return this.allocateRun(packHead(stateSlab, kind, 0, this.slabPages), this.slabPages);
  }

  /**
   * A live run or extent nearer to where memory is full than `than`: in a lower segment, or higher up in the same one. Neither waits nor grows.
   * @returns 0 when there is none: nothing has changed
   */
  allocateNearer(head: number, pages: number, than: Ref): Ref {
    const home = than >> (this.region.segmentShift - granuleShift);
    for (let number = 0; number <= home; number++) {
      const segment = this.segments[number] as SegmentRuns;
      if (!segment.hasPages(pages) || segment.tryEnter() !== 'taken') continue;
      const ref = this.#takeFrom(segment, head, pages, number === home ? than : 0);
      if (ref !== 0) return ref;
    }
    return 0;
  }

  /** Whether the system had no memory when it was asked last, to grow or to take some again. */
  get isSystemFull(): boolean {
    return this.#refused || this.#growthPause > 0;
  }

  /** Gives back a slab, or a run or extent that this owner has claimed. */
  release(number: number, page: number): void {
    (this.segments[number] as SegmentRuns).release(page);
  }

  /**
   * Gives the memory of free runs of at least `minPages` back to the system. Passes over segments
   * whose lock another owner has.
   * @returns bytes that came free
   */
  giveBack(minPages: number): number {
    this.follow();
    let bytes = 0;
    for (const segment of this.segments) {
      if (segment.tryEnter() !== 'taken') continue;
      try {
        bytes += absent.giveBackRuns(this.region, segment.view, minPages);
      } finally {
        segment.leave();
      }
    }
    return bytes;
  }

  /** Pages handed out. */
  usedPages(): number {
    let pages = 0;
    for (const { words } of this.views) pages += load(words, usedPagesWord);
    return pages;
  }

  /**
   * Adds a segment to the region for a request of `pages`, or takes in one that another owner added.
   * @returns false when limit, capacity or memory does not allow it
   */
  grow(pages: number): boolean {
    if (this.usedPages() + pages > this.limitPages) return false;
    if (this.#growthPause > 0) {
      this.#growthPause--;
      return false;
    }
    const { region } = this;
    const before = this.views.length;
    try {
      region.addSegment((segment) => formatSegment(segment, region.slabShift));
    } catch (error) {
      // A machine without memory is a full pool, not a broken one: the store can still evict.
      if (!hasCode(error, 'memory_unavailable')) throw error;
      this.#growthPause = growthRetryInterval;
      return false;
    }
    this.follow();
    return this.views.length > before;
  }

  /** Whether capacity allows another segment, as far as this owner knows. */
  get hasRoomToGrow(): boolean {
    const { capacityBytes, segmentShift, slabShift } = this.region.superblock;
    let usedBytes = 0;
    for (const { sizeBytes } of this.region.segments) usedBytes += sizeBytes;
    return nextSegmentBytes(capacityBytes, usedBytes, segmentShift, slabShift) > 0;
  }

  /** Pages that may be in use at once, in the segments there are. */
  get mostPages(): number {
    return Math.min(this.dataPages, this.limitPages);
  }

  /** Bound on usedPages of all owners together. */
  get limitPages(): number {
    const limit = peek(this.#control, allocControl.limit);
    return limit === 0 ? pagesMax : limit - 1;
  }

  /** Whether there is a bound at all. */
  get isLimited(): boolean {
    return this.limitPages < pagesMax;
  }

  /** Bounds usedPages, and lets the next exhausted request try to grow again. */
  setLimit(limitPages: number): void {
    store(this.#control, allocControl.limit, Math.min(limitPages, pagesMax) + 1);
    this.#growthPause = 0;
  }

  /** Takes away the last segment if nothing is in it. Segment 0 stays. */
  dropLast(): boolean {
    this.follow();
    const last = this.segments.at(-1) as SegmentRuns;
    const { free, view } = last;
    if (this.segments.length === 1 || last.enter() !== 'taken') return false;
    if (free.lengthAt(view.layout.dataPage) !== free.dataPages) {
      last.leave();
      return false;
    }
    let isDropped = false;
    try {
      isDropped = this.region.dropSegment(); // closes the lock that we hold for ever
    } finally {
      if (!isDropped) last.leave();
    }
    this.follow();
    return isDropped;
  }

  /** Takes in segments that came, and lets go those that went. */
  follow(): void {
    this.region.refresh();
    const same = followSegments(this.region, this.views);
    if (same === this.views.length && same === this.segments.length) return;
    this.segments.length = same;
    this.#cover();
    this.#onFollow();
  }

  #cover(): void {
    for (const view of this.views.slice(this.segments.length)) {
      this.segments.push(new SegmentRuns(view, this.slabPages, this.#keeper));
    }
    this.dataPages = this.segments.reduce((sum, { free }) => sum + free.dataPages, 0);
  }

  /** @returns 0 when none of the segments has room, or `gone` */
  #search(head: number, pages: number): Ref {
    this.blocked = false;
    this.#refused = false;
    this.follow();
    const { segments } = this;
    const count = segments.length;
    // Low segments first, so that high ones empty and can be given back; other owners start higher.
    const first = this.#owner.slot % count;
    let passedOver = 0;
    for (let step = 0; step < count; step++) {
      const segment = segments[(first + step) % count] as SegmentRuns;
      if (!segment.hasPages(pages)) continue;
      // In holes only there is nothing to be locked for; another may be at work at the run that does not show.
      const entry = segment.showsRun(pages) ? segment.tryEnter() : 'busy';
      if (entry === 'gone') return gone;
      if (entry === 'busy') passedOver++;
      else {
        const ref = this.#takeFrom(segment, head, pages);
        if (ref !== 0) return ref;
      }
    }
    for (let number = 0; passedOver > 0 && number < count; number++) {
      const segment = segments[number] as SegmentRuns;
      if (!segment.hasPages(pages)) continue;
      const entry = segment.enter();
      if (entry === 'gone') return gone;
      if (entry === 'busy') this.blocked = true;
      else {
        const ref = this.#takeFrom(segment, head, pages);
        if (ref !== 0) return ref;
      }
    }
    return 0;
  }

  /** Takes a run behind `than` out of a segment that is locked, and unlocks it. @returns 0 when it has none */
  #takeFrom(segment: SegmentRuns, head: number, pages: number, than: Ref = 0): Ref {
    try {
      return this.#take(segment, head, pages, than, absent.anyRun);
    } finally {
      segment.leave();
    }
  }

  #take(segment: SegmentRuns, head: number, pages: number, than: Ref, look: number): Ref {
    const { free, view } = segment;
    const { table, words } = view;
    const { number } = view.segment;
    const forSlab = stateOf(head) === stateSlab;
    // Metadata fills a segment from its low end, all else from the high end: entries and tables never move, and one block of them
    // among the data would split it for good, so that no eviction makes room for a large part.
    const low = kindOfHead(head) === metadataKind;
    const avoided = look === absent.presentRun ? headAbsent : 0;
    const from = forSlab ? free.findWindow(low, avoided) : free.find(pages, low, avoided);
    if (from === 0) {
      const mayExchange =
        look === absent.presentRun && absent.giveBackRuns(this.region, view, 1) > 0;
      return mayExchange ? this.#take(segment, head, pages, than, absent.exchangedRun) : 0;
    }
    const length = free.lengthAt(from);
    const step = forSlab ? this.slabPages : 1;
    const at = free.placeIn(from, length, pages, step, low);
    const ref = (number << (this.region.segmentShift - granuleShift)) | (at << pageGranuleShift);
    if (ref <= than || !this.#reserve(words, pages)) return 0;
    const isAbsent = absenceOf(table.head(from)) !== 0;
    if (isAbsent && !absent.takeAgain(this.region, view, from, at, pages)) {
      this.#refused = true;
      return look === absent.anyRun ? this.#take(segment, head, pages, than, absent.presentRun) : 0;
    }
    if (low && forSlab) absent.retainPages(view, this.region.slabShift, at, pages);
    if (!forSlab) beginAllocation(this.#owner.counters, ref);
    if (at > from) free.resize(from, length, at - from);
    else free.remove(from);
    table.split(from, length, at, pages, head, this.#owner.slot);
    if (at + pages < from + length) free.insert(at + pages, from + length - at - pages);
    return ref;
  }

  /**
   * Counts pages as used before they are, then looks at the sum: of two owners who pass a limit
   * that both have seen at least one sees it.
   */
  #reserve(words: Words, pages: number): boolean {
    const used = peek(words, usedPagesWord);
    const { limitPages } = this;
    if (limitPages === pagesMax) poke(words, usedPagesWord, used + pages);
    else store(words, usedPagesWord, used + pages);
    if (limitPages >= this.dataPages || this.usedPages() <= limitPages) return true;
    store(words, usedPagesWord, used);
    return false;
  }
}

/** @throws pool_busy when a search failed because a living owner kept a lock too long */
export function refuseBlocked(runs: RunSpace): void {
  if (runs.blocked)
    fail('pool_busy', 'another owner holds the lock of a segment that may have room');
}
