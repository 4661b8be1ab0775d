/**
 * Verifies that what an owner keeps on the heap (lists, stacks, caches) agrees with the memory, and
 * that counters and the index of free runs do. To be asked while no owner is at work.
 */

import { bitCount } from '../base/bits.ts';
import { segmentLockWord } from '../memory/layout.ts';
import { granuleShift, type Ref, type Region } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { checkSegment, faultsMax, type Report } from './check.ts';
import { classCount, classTable, stackCount } from './classes.ts';
import { sumCounter } from './counters.ts';
import { FreeRuns } from './free-runs.ts';
import {
  bitsWordShift,
  freeAt,
  headLive,
  headRemote,
  kindOfHead,
  lengthOf,
  liveAt,
  ownerMask,
  packHead,
  pageGranuleShift,
  pendingGroupsWord,
  slabFreeCount,
  slabHeaderShift,
  slabOwnerShift,
  stackMask,
  stateFree,
  stateOf,
  stateRun,
  stateSlab,
} from './layout.ts';
import type { RunCache } from './run-cache.ts';
import type { RunOwner, RunSpace } from './runs.ts';
import type { Slabs } from './slabs.ts';
import type { SegmentView } from './segment-view.ts';
import { countedBlocks } from './stats.ts';
import { slabHeaderAt, slabWordsOf, windowOfPage } from './walk.ts';

/** What an owner keeps on the heap. */
export interface Books {
  readonly runs: RunSpace;
  readonly slabs: Slabs;
  readonly cache: RunCache;
  readonly owner: RunOwner;
}

/**
 * Verifies every invariant of an allocator.
 * @param books undefined for an onlooker
 * @returns violations in words
 */
export function checkAllocator(
  region: Region,
  views: readonly SegmentView[],
  books: Books | undefined,
): string[] {
  const { slabShift } = region;
  const faults: string[] = [];
  const report: Report = (fault) => {
    if (faults.length < faultsMax) faults.push(fault);
  };
  for (const view of views) {
    checkSegment(view, slabShift, classTable(slabShift), report);
    if (peek(view.words, segmentLockWord) === 0) checkIndex(view, slabShift, report);
  }
  const live = countedBlocks(views, slabShift); // damage is reported already
  const balance = sumCounter(region, 'allocations') - sumCounter(region, 'frees');
  if (balance !== live) report(`counters say ${balance} live blocks, memory ${live}`);
  if (books !== undefined) {
    checkSlabs(books, slabShift, report);
    checkStacks(books, report);
    checkCache(books, report);
  }
  return faults;
}

function checkIndex(view: SegmentView, slabShift: number, report: Report): void {
  const say: Report = (fault) => report(`segment ${view.segment.number}: ${fault}`);
  const free = new FreeRuns(view, 1 << (slabShift - granuleShift - pageGranuleShift));
  let inTable = 0;
  let usedPages = free.dataPages;
  view.table.walk(
    (_, head) => {
      if (
        (head & (headLive | headRemote)) === headRemote &&
        peek(view.words, pendingGroupsWord) === 0
      )
        say('a run was given back and nobody tells of it');
      if (stateOf(head) !== stateFree) return;
      inTable++;
      usedPages -= lengthOf(head);
    },
    () => undefined, // reported by checkSegment
  );
  const inIndex = free.check(say);
  if (inIndex !== inTable) say(`index has ${inIndex} free runs, table ${inTable}`);
  if (usedPages !== free.usedPages)
    say(`index has ${free.usedPages} used pages, table ${usedPages}`);
}

/** Slabs, free blocks and claimed blocks of this owner, by stack. */
function checkSlabs({ runs, slabs, owner }: Books, slabShift: number, report: Report): void {
  const counts = new Int32Array(stackCount);
  const free = new Int32Array(stackCount);
  const claimed = new Int32Array(stackCount);
  for (const view of runs.views) {
    view.table.walk(
      (page, head) => {
        const header = stateOf(head) === stateSlab ? slabHeaderAt(view, page, slabShift) : 0;
        if (header === 0 || ((header >> slabOwnerShift) & ownerMask) !== owner.slot) return;
        const stack = header & stackMask;
        const at = windowOfPage(page, slabShift) << slabHeaderShift;
        const unused = peek(view.headers, at + slabFreeCount);
        const blocks = slabs.table.blocks[stack % classCount] as number;
        counts[stack] = (counts[stack] as number) + 1;
        free[stack] = (free[stack] as number) + unused;
        claimed[stack] =
          (claimed[stack] as number) + blocks - unused - liveOf(view, page, slabShift);
      },
      () => undefined,
    );
  }
  for (let stack = 0; stack < stackCount; stack++) {
    const listed = slabs.lists.all(stack).length;
    const told = [
      listed,
      slabs.slabCounts[stack],
      slabs.freeCounts[stack],
      slabs.stacks.depth(stack),
    ];
    const seen = [counts[stack], counts[stack], free[stack], claimed[stack]];
    if (told.join() !== seen.join())
      report(`books of stack ${stack} say ${told.join()}, memory ${seen.join()}`);
  }
}

function liveOf(view: SegmentView, page: number, slabShift: number): number {
  const slabWords = slabWordsOf(slabShift);
  const first = windowOfPage(page, slabShift) * slabWords;
  let live = 0;
  for (let word = first; word < first + slabWords; word++) {
    live += bitCount(peek(view.bits, (word << bitsWordShift) + liveAt));
  }
  return live;
}

function checkStacks({ runs, slabs, owner }: Books, report: Report): void {
  const seen = new Set<Ref>();
  for (let stack = 0; stack < stackCount; stack++) {
    const { stacks } = slabs;
    const depth = stacks.depth(stack);
    if (depth < 0 || depth > stacks.limit(stack)) {
      report(`stack ${stack} holds ${depth} blocks`);
    }
    for (let cell = 0; cell < depth; cell++) {
      const ref = stacks.cells[stacks.bottom(stack) + 1 + cell] as Ref;
      if (seen.has(ref)) report(`reference ${ref} is claimed twice`);
      seen.add(ref);
      if (!isClaimed(runs, slabs, owner, stack, ref))
        report(`stack ${stack} holds ${ref}, which is not a claimed block of it`);
    }
  }
}

/** A block start of an own slab of this stack that is neither free nor live. */
function isClaimed(
  runs: RunSpace,
  slabs: Slabs,
  owner: RunOwner,
  stack: number,
  ref: Ref,
): boolean {
  const { segmentShift, slabShift } = runs.region;
  const view = runs.views[ref >> (segmentShift - granuleShift)];
  if (view === undefined) return false;
  const granule = ref & ((1 << (segmentShift - granuleShift)) - 1);
  const header = peek(view.headers, (granule >> (slabShift - granuleShift)) << slabHeaderShift);
  const { starts, slabWords } = slabs.table;
  const start = starts[
    (stack % classCount) * slabWords + ((granule >> 5) & (slabWords - 1))
  ] as number;
  const at = (granule >> 5) << bitsWordShift;
  const taken = peek(view.bits, at + liveAt) | peek(view.bits, at + freeAt);
  const bit = 1 << (granule & 31);
  const isOwn = header !== 0 && ((header >> slabOwnerShift) & ownerMask) === owner.slot;
  return isOwn && (header & stackMask) === stack && (start & bit) !== 0 && (taken & bit) === 0;
}

/** The claimed runs with this owner's label are those in its cache. */
function checkCache({ runs, cache, owner }: Books, report: Report): void {
  const { segmentShift } = runs.region;
  const shift = segmentShift - granuleShift;
  const cached = new Set<Ref>();
  cache.forEach((ref) => {
    if (cached.has(ref)) report(`run ${ref} is cached twice`);
    cached.add(ref);
  });
  let pages = 0;
  for (const view of runs.views) {
    view.table.walk(
      (page, head) => {
        const isClaimedRun =
          head === packHead(stateRun, kindOfHead(head), 0, lengthOf(head)) &&
          view.table.owner(page) === owner.slot;
        if (!isClaimedRun) return;
        pages += lengthOf(head);
        const ref = (view.segment.number << shift) + (page << pageGranuleShift);
        if (!cached.delete(ref)) report(`run ${ref} waits for this owner, who does not have it`);
      },
      () => undefined,
    );
  }
  for (const ref of cached) report(`run ${ref} is cached and not claimed`);
  if (pages !== cache.pages) report(`cache says ${cache.pages} pages, memory ${pages}`);
}
