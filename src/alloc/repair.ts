/**
 * Brings a segment's page table and index in order after the holder of its lock died between any
 * two memory accesses.
 *
 * Every step moves towards the same end and commits with one store, so a repair may itself be cut
 * short and started again by whoever inherits the lock next: stale heads in the interior of runs are
 * zeroed, runs that were given back become free, free neighbours are merged, the ends of free runs
 * rewritten, and the index is made anew. Runs that are live or claimed are not touched: their owners
 * may be at work on them.
 */

import { pageShift } from '../memory/region.ts';
import { and, peek, zero } from '../memory/words.ts';
import type { FreeRuns } from './free-runs.ts';
import {
  absenceOf,
  headAbsent,
  headPartly,
  isGivenBack,
  jointAbsence,
  kindOfHead,
  lengthOf,
  nobody,
  packFree,
  pendingGroupsWord,
  stateFree,
  stateInterior,
  stateOf,
} from './layout.ts';
import type { SegmentView } from './segment-view.ts';

/**
 * Under the segment's lock.
 * @param visit for each run that is not free, after its interior was cleared; may set its head free
 * @throws pool_corrupt when the page table cannot be followed: not the work of a crash
 */
export function repairSegment(
  view: SegmentView,
  free: FreeRuns,
  zeroKinds: number,
  visit?: (page: number, head: number) => void,
): void {
  const { table } = view;
  forgetPending(view);
  table.walk((page) => {
    const head = table.loadHead(page);
    const end = page + lengthOf(head);
    for (let inner = page + 1; inner < end; inner++) {
      if (table.head(inner) !== stateInterior) table.setHead(inner, stateInterior);
    }
    if (stateOf(head) === stateFree) return;
    if (isGivenBack(head)) freeRun(view, page, head, zeroKinds);
    else visit?.(page, head);
  });
  mergeFree(view);
  free.rebuild();
}

/** Makes a run free that nobody else will touch, but for merging it. */
export function freeRun(view: SegmentView, page: number, head: number, zeroKinds: number): void {
  const pages = lengthOf(head);
  if (((zeroKinds >> kindOfHead(head)) & 1) === 1) {
    zero(view.segment.bytes, page << pageShift, (page + pages) << pageShift);
  }
  view.table.setHead(page, packFree(0, pages));
}

/** The bits are hints; all heads are looked at afterwards. */
function forgetPending({ words, layout }: SegmentView): void {
  and(words, pendingGroupsWord, 0);
  const end = layout.pendingWord + Math.ceil(layout.pages / 32);
  for (let word = layout.pendingWord; word < end; word++) {
    if (peek(words, word) !== 0) and(words, word, 0);
  }
}

/** Merges adjacent free runs and rewrites the ends of free ones. */
function mergeFree(view: SegmentView): void {
  const { table, layout } = view;
  let page = layout.dataPage;
  while (page < layout.pages) {
    const head = table.head(page);
    const length = lengthOf(head);
    let end = page + length;
    if (stateOf(head) === stateFree) {
      // Who died may have given back or taken a part of it.
      let absence = absenceOf(head) === 0 ? 0 : headAbsent | headPartly;
      while (end < layout.pages && stateOf(table.head(end)) === stateFree) {
        absence = jointAbsence(absence, absenceOf(table.head(end)));
        end += lengthOf(table.head(end));
      }
      table.setEnds(page, end - page, nobody);
      const merged = packFree(absence, end - page);
      if (merged !== head) table.setHead(page, merged);
      for (let stale = page + length; stale < end;) {
        const next = stale + lengthOf(table.head(stale));
        table.setHead(stale, stateInterior);
        stale = next;
      }
    }
    page = end;
  }
}
