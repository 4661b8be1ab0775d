/**
 * Free memory that is given back to the system, run by run, under the segment's lock: the run's head
 * says so first, then the memory goes. Until it was taken again nobody touches it.
 *
 * Retained memory stays: joined readers look at tables, tags and keys first and afterwards whether
 * they were still there, and on a full file system even reading absent memory is a fault.
 */

import { pageShift, type Region, type Segment } from '../memory/region.ts';
import { ownerSlot, ownerWord } from '../memory/owners.ts';
import { peek, poke, store, type Words } from '../memory/words.ts';
import {
  absenceOf,
  absentSinceWord,
  headAbsent,
  headPartly,
  lengthOf,
  packFree,
  slabHeaderShift,
  stateFree,
  stateOf,
  usedPagesWord,
  windowRetained,
} from './layout.ts';
import type { SegmentView } from './segment-view.ts';
import { windowOfPage } from './walk.ts';

/** Shorter free runs are not worth the system calls, and are used again soon. */
export const giveBackMinBytes: number = 64 * 2 ** 10;

/**
 * How a run is looked for in a segment: any that fits; where it is absent and the system has no
 * memory for it, one that is there; where none is, any again, after what is there was given back.
 */
export const anyRun = 0;
export const presentRun = 1;
export const exchangedRun = 2;

/**
 * Gives the memory of free runs of at least `minPages` back, but for those that were given back and
 * have not changed. Under the segment's lock.
 * @returns bytes that came free
 * @throws io_failed; pool_corrupt
 */
export function giveBackRuns(region: Region, view: SegmentView, minPages: number): number {
  const { table, words } = view;
  const epoch = epochOf((region.segments[0] as Segment).words);
  const isFilled = peek(words, absentSinceWord) !== epoch;
  let bytes = 0;
  table.walk((page, head) => {
    const pages = lengthOf(head);
    const isWhole = absenceOf(head) === headAbsent;
    if (stateOf(head) !== stateFree || (isWhole && !isFilled)) return;
    const isLong = pages >= minPages;
    if (isLong || isWhole) table.setHead(page, packFree(headAbsent | headPartly, pages));
    if (!isLong) return;
    eachRange(view, region.slabShift, page, pages, (from, to) => {
      bytes += region.giveBack?.(view.segment, from << pageShift, to << pageShift) ?? 0;
    });
    table.setHead(page, packFree(headAbsent, pages));
  });
  if (isFilled) poke(words, absentSinceWord, epoch);
  return bytes;
}

/** Visits those pages of a free run that are not retained, as many in a row as there are. */
function eachRange(
  view: SegmentView,
  slabShift: number,
  first: number,
  pages: number,
  visit: (from: number, to: number) => void,
): void {
  const slabPagesShift = slabShift - pageShift;
  const end = first + pages;
  let from = first;
  for (let window = windowOfPage(first, slabShift); from < end; window++) {
    const next = Math.min(end, (window + 1) << slabPagesShift);
    const stays = isRetained(view, window);
    if (!stays && next < end) continue;
    const to = stays ? window << slabPagesShift : end;
    if (to > from) visit(from, to);
    from = next;
  }
}

/**
 * Has the system give the memory of pages again that are about to be handed out of the absent free run at
 * `from`. They count as used; where it has none they do no more.
 * @returns false when it has none
 * @throws io_failed
 */
export function takeAgain(
  region: Region,
  { table, segment, words }: SegmentView,
  from: number,
  at: number,
  pages: number,
): boolean {
  let isThere = false;
  try {
    isThere = region.takeAgain?.(segment, at << pageShift, (at + pages) << pageShift) === true;
  } finally {
    if (!isThere) store(words, usedPagesWord, peek(words, usedPagesWord) - pages);
  }
  // Some of the pages may be there now.
  if (!isThere) table.setHead(from, packFree(headAbsent | headPartly, lengthOf(table.head(from))));
  return isThere;
}

/** Pages of a run that are with the system, as far as is known: none while it is absent partly. */
export function absentPagesOf(
  view: SegmentView,
  slabShift: number,
  epoch: number,
  page: number,
): number {
  const head = view.table.head(page);
  if (absenceOf(head) !== headAbsent || peek(view.words, absentSinceWord) !== epoch) return 0;
  let pages = 0;
  eachRange(view, slabShift, page, lengthOf(head), (from, to) => (pages += to - from));
  return pages;
}

/** Rises when someone opens with `own`, who fills all holes. */
export function epochOf(firstWords: Words): number {
  return peek(firstWords, ownerWord(0, ownerSlot.epoch));
}

/** From now on the memory of these pages is never given back to the system, whatever becomes of it. */
export function retainPages(view: SegmentView, slabShift: number, at: number, pages: number): void {
  const last = windowOfPage(at + pages - 1, slabShift);
  for (let window = windowOfPage(at, slabShift); window <= last; window++) {
    if (!isRetained(view, window))
      poke(view.headers, (window << slabHeaderShift) + windowRetained, 1);
  }
}

function isRetained({ headers }: SegmentView, window: number): boolean {
  return peek(headers, (window << slabHeaderShift) + windowRetained) !== 0;
}
