/**
 * The runs of one segment, and the lock that guards their page table and index.
 *
 * Giving a run back never waits: where the segment is locked, the run is marked, and whoever has the
 * lock merges it before or right after unlocking.
 */

import { segmentLockWord } from '../memory/layout.ts';
import { lock, lockClosed, tryLock, unlock, type LockWait } from '../memory/lock.ts';
import type { Region } from '../memory/region.ts';
import { and, load, loadInOrder, or, peek, poke, type Words } from '../memory/words.ts';
import { FreeRuns } from './free-runs.ts';
import {
  headRemote,
  isGivenBack,
  kindOfHead,
  lengthOf,
  packHead,
  pendingGroupShift,
  pendingGroupsWord,
  stateExtent,
  stateOf,
  stateRun,
  usedPagesWord,
} from './layout.ts';
import { repairSegment } from './repair.ts';
import type { SegmentView } from './segment-view.ts';

/** Who takes locks, and how. */
export interface LockKeeper {
  readonly region: Region;
  readonly token: number;
  readonly wait: LockWait;
  /** Kinds that are zeroed when freed. */
  readonly zeroKinds: number;
}

/** What came of taking a segment's lock: 'gone' is one that another has dropped, 'busy' one whose lock a living owner keeps. */
export type Entry = 'taken' | 'gone' | 'busy';

export class SegmentRuns {
  readonly view: SegmentView;
  /** To be used under the lock. */
  readonly free: FreeRuns;
  readonly #words: Words;
  readonly #keeper: LockKeeper;

  constructor(view: SegmentView, slabPages: number, keeper: LockKeeper) {
    this.view = view;
    this.free = new FreeRuns(view, slabPages);
    this.#words = view.words;
    this.#keeper = keeper;
  }

  /** A look that needs no lock. */
  hasPages(pages: number): boolean {
    return this.free.dataPages - this.free.usedPages >= pages;
  }

  /** A look that needs no lock, whether there is a run that may be long enough. One that another is at work at may not show. */
  showsRun(pages: number): boolean {
    return this.free.hasBinFor(pages);
  }

  /** Takes the lock if it is free. */
  tryEnter(): Entry {
    return this.#tryLock() ? this.#unlessGone() : 'busy';
  }

  /** Takes the lock, waiting for it. What a holder left half done when it died is repaired. */
  enter(): Entry {
    const entry = this.#lock();
    if (entry !== 'busy' || load(this.#words, segmentLockWord) !== lockClosed) return entry;
    // Dropped, or who added it died before it opened the lock: whoever changes the region next repairs that.
    this.#keeper.region.commit({});
    return this.#isCurrent() ? this.#lock() : 'gone';
  }

  #tryLock(): boolean {
    return tryLock(this.#words, segmentLockWord, this.#keeper.token);
  }

  #lock(): Entry {
    const { token, wait, zeroKinds, region } = this.#keeper;
    // In a private copy nobody else is: every lock found taken is one of the dead.
    const outcome = region.readOnly ? 'inherited' : lock(this.#words, segmentLockWord, token, wait);
    if (outcome === 'busy') return 'busy';
    if (outcome === 'taken') return this.#unlessGone();
    try {
      repairSegment(this.view, this.free, zeroKinds);
    } catch (error) {
      unlock(this.#words, segmentLockWord);
      throw error;
    }
    return this.#unlessGone();
  }

  /** The lock is taken: what the segment is now it stays. */
  #unlessGone(): Entry {
    let isCurrent = false;
    try {
      isCurrent = this.#isCurrent();
    } finally {
      if (!isCurrent) unlock(this.#words, segmentLockWord);
    }
    return isCurrent ? 'taken' : 'gone';
  }

  /** Whether the segment is still the one that it was taken for. */
  #isCurrent(): boolean {
    const { region } = this.#keeper;
    const { segment } = this.view;
    region.refresh();
    return region.segments[segment.number] === segment;
  }

  /** Merges what was given back meanwhile, and unlocks. */
  leave(): void {
    const words = this.#words;
    if (peek(words, pendingGroupsWord) !== 0) this.#drain();
    unlock(words, segmentLockWord);
    while (loadInOrder(words, pendingGroupsWord) !== 0 && this.#tryLock()) {
      this.#drain();
      unlock(words, segmentLockWord);
    }
  }

  /** Gives back a slab, or a run or extent that this owner has claimed. */
  release(page: number): void {
    if (this.#tryLock()) {
      this.#merge(page);
      this.leave();
      return;
    }
    const { table, layout } = this.view;
    const head = table.head(page);
    const state = stateOf(head) === stateExtent ? stateExtent : stateRun;
    table.setHead(page, packHead(state, kindOfHead(head), headRemote, lengthOf(head)));
    or(this.#words, layout.pendingWord + (page >> 5), 1 << (page & 31));
    or(this.#words, pendingGroupsWord, 1 << (page >> pendingGroupShift));
    // The holder looks at the groups after it has unlocked: one of us two sees them.
    if (this.#tryLock()) this.leave();
  }

  /** Merges a run into the free space; under the lock. */
  #merge(page: number): void {
    const { table, layout } = this.view;
    const { free } = this;
    const pages = lengthOf(table.head(page));
    const end = page + pages;
    const left = table.freeBefore(page);
    const rightPages = end < layout.pages ? free.lengthAt(end) : 0;
    if (rightPages !== 0) free.remove(end);
    const merged = table.merge(page, pages, left, rightPages);
    if (left === 0) free.insert(page, merged);
    else free.resize(left, page - left, merged);
    poke(this.#words, usedPagesWord, peek(this.#words, usedPagesWord) - pages);
  }

  /** Merges what was given back while the segment was locked; under the lock. */
  #drain(): void {
    const { table, layout } = this.view;
    const words = this.#words;
    const perGroup = 1 << (pendingGroupShift - 5);
    const end = Math.ceil(layout.pages / 32);
    for (let groups = and(words, pendingGroupsWord, 0); groups !== 0; groups &= groups - 1) {
      const first = (31 - Math.clz32(groups & -groups)) * perGroup;
      for (let word = first; word < Math.min(end, first + perGroup); word++) {
        if (peek(words, layout.pendingWord + word) === 0) continue;
        for (let bits = and(words, layout.pendingWord + word, 0); bits !== 0; bits &= bits - 1) {
          const page = (word << 5) + 31 - Math.clz32(bits & -bits);
          if (isGivenBack(table.loadHead(page))) this.#merge(page);
        }
      }
    }
  }
}
