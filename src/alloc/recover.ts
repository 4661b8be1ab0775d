/**
 * Recovery of one segment after its only owner died between any two memory accesses.
 *
 * Every step moves towards the same end and commits with one store, so recovery may itself be cut
 * short and started again: live blocks that were not kept are freed, claimed blocks go back to
 * their slabs, stale heads in the interior of runs are zeroed, free neighbours merged, ends
 * rewritten.
 */

import { pageShift } from '../memory/region.ts';
import { peek, poke, store, zero } from '../memory/words.ts';
import type { Allocator, Block, Marks } from './api.ts';
import { classBytes, classCount, classTable } from './classes.ts';
import {
  headKept,
  headLive,
  headRemote,
  keptShift,
  kindOfHead,
  kindOfStackShift,
  lengthOf,
  liveMask,
  packHead,
  slabFreeCount,
  slabHeaderShift,
  stackMask,
  stateFree,
  stateInterior,
  stateOf,
  stateSlab,
} from './layout.ts';
import type { SegmentView } from './segment-view.ts';
import { bitCount, keptBits, liveBits, slabHeaderAt, slabWordsOf, windowOfPage } from './walk.ts';

export interface Recovered {
  freedBlocks: number;
  freedBytes: number;
  /** Blocks that stay. */
  liveBlocks: number;
}

export interface RecoveryRules {
  readonly slabShift: number;
  readonly zeroKinds: number;
  readonly owner: number;
}

/** @throws pool_corrupt when the page table cannot be followed: not the work of a crash */
export function recoverSegment(view: SegmentView, rules: RecoveryRules, result: Recovered): void {
  clearStaleHeaders(view, rules.slabShift);
  view.table.walk((page, head) => {
    const end = page + lengthOf(head);
    for (let inner = page + 1; inner < end; inner++) {
      if (view.table.head(inner) !== stateInterior) view.table.setHead(inner, stateInterior);
    }
    if (stateOf(head) === stateSlab) recoverSlab(view, page, rules, result);
    else if (stateOf(head) !== stateFree) recoverRun(view, page, head, rules, result);
  });
  mergeFree(view, rules.owner);
}

/**
 * A slab's header is written after its run and zeroed before it: one without a slab run is not the
 * work of a crash, but harmless.
 */
function clearStaleHeaders(view: SegmentView, slabShift: number): void {
  const pagesShift = slabShift - pageShift;
  for (let window = 0; window < view.layout.windows; window++) {
    const word = window << slabHeaderShift;
    if (peek(view.headers, word) === 0) continue;
    if (stateOf(view.table.head(window << pagesShift)) !== stateSlab) store(view.headers, word, 0);
  }
}

function recoverRun(
  view: SegmentView,
  page: number,
  head: number,
  rules: RecoveryRules,
  result: Recovered,
): void {
  const pages = lengthOf(head);
  if ((head & headLive) !== 0 && (head & headKept) !== 0) {
    if ((head & headRemote) !== 0) view.table.setHead(page, head & ~headRemote);
    result.liveBlocks++;
    return;
  }
  if (((rules.zeroKinds >> kindOfHead(head)) & 1) === 1) {
    zero(view.segment.bytes, page << pageShift, (page + pages) << pageShift);
  }
  view.table.setHead(page, packHead(stateFree, 0, 0, pages));
  result.freedBlocks++;
  result.freedBytes += pages << pageShift;
}

function recoverSlab(
  view: SegmentView,
  page: number,
  rules: RecoveryRules,
  result: Recovered,
): void {
  const { slabShift } = rules;
  const { starts: blockStarts } = classTable(slabShift);
  const window = windowOfPage(page, slabShift);
  const header = slabHeaderAt(view, page, slabShift);
  const slabWords = slabWordsOf(slabShift);
  const sizeClass = header % classCount;
  let live = 0;
  let free = 0;
  for (let word = 0; header !== 0 && word < slabWords; word++) {
    const at = 2 * (window * slabWords + word);
    const starts = blockStarts[sizeClass * slabWords + word] as number;
    const before = liveBits(view, at >> 1);
    const stays = before & keptBits(view, at >> 1);
    if (stays !== before) freeBits(view, rules, header, at, before & ~stays, result);
    setWord(view.liveKept, at, (stays & liveMask) | (stays << keptShift));
    setWord(view.liveKept, at + 1, (stays >>> keptShift) | (stays & ~liveMask));
    setWord(view.freeRemote, at, starts & ~stays);
    setWord(view.freeRemote, at + 1, 0);
    live += bitCount(stays);
    free += bitCount(starts & ~stays);
  }
  result.liveBlocks += live;
  const word = window << slabHeaderShift;
  if (live > 0) {
    setWord(view.headers, word + slabFreeCount, free);
    return;
  }
  if (header !== 0) store(view.headers, word, 0);
  view.table.setHead(page, packHead(stateFree, 0, 0, 1 << (slabShift - pageShift)));
}

function freeBits(
  view: SegmentView,
  rules: RecoveryRules,
  header: number,
  at: number,
  freed: number,
  result: Recovered,
): void {
  const sizeBytes = classBytes(header % classCount);
  result.freedBlocks += bitCount(freed);
  result.freedBytes += bitCount(freed) * sizeBytes;
  if (((rules.zeroKinds >> ((header & stackMask) >> kindOfStackShift)) & 1) === 0) return;
  for (let bits = freed; bits !== 0; bits &= bits - 1) {
    const granule = (at << 4) + 31 - Math.clz32(bits & -bits);
    zero(view.segment.bytes, granule << 6, (granule << 6) + sizeBytes);
  }
}

/** Merges adjacent free runs and rewrites the ends of all. */
function mergeFree(view: SegmentView, owner: number): void {
  const { table, layout } = view;
  let page = layout.dataPage;
  while (page < layout.pages) {
    const head = table.head(page);
    const isFree = stateOf(head) === stateFree;
    let end = page + lengthOf(head);
    while (isFree && end < layout.pages && stateOf(table.head(end)) === stateFree)
      end += lengthOf(table.head(end));
    const pages = end - page;
    table.setEnds(page, pages, isFree ? 0 : owner);
    if (pages !== lengthOf(head)) {
      const inner = page + lengthOf(head);
      table.setHead(page, packHead(stateFree, 0, 0, pages));
      for (let stale = inner; stale < end;) {
        const next = stale + lengthOf(table.head(stale));
        table.setHead(stale, stateInterior);
        stale = next;
      }
    }
    page = end;
  }
}

function setWord(words: Int32Array, index: number, value: number): void {
  if (peek(words, index) !== value) poke(words, index, value);
}

/** Frees every live allocation that is not in `marks` and keeps all others. */
export function sweepUnmarked(
  allocator: Allocator,
  marks: Marks,
): { readonly freedBlocks: number; readonly freedBytes: number } {
  const unmarked: Block[] = [];
  let freedBytes = 0;
  allocator.walk((block) => {
    if (!marks.has(block.ref)) unmarked.push(block);
    else if (!block.kept) allocator.keep(block.ref);
  });
  for (const { ref, kind, sizeBytes } of unmarked) {
    allocator.free(ref, kind);
    freedBytes += sizeBytes;
  }
  return { freedBlocks: unmarked.length, freedBytes };
}
