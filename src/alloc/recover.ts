/**
 * Recovery of one segment's part of what dead owners had, by an owner who lives and has the
 * segment's lock. Nobody can take the slots of the dead meanwhile.
 *
 * Every step moves towards the same end and commits with one store, so recovery may itself be cut
 * short and started again, by anybody: live blocks that were not kept are freed, claimed blocks go
 * back to their slabs and claimed runs to the free space, what others have freed is collected, empty
 * slabs are given back, the others are nobody's from then on. What the living own is not touched.
 */

import { bitCount } from '../base/bits.ts';
import { granuleShift, pageShift, type Ref, type Region } from '../memory/region.ts';
import { and, load, or, peek, poke, store, type Words, zero } from '../memory/words.ts';
import type { Allocator, Block, Marks } from './api.ts';
import { classBytes, classCount, classTable } from './classes.ts';
import { beginFree, countOne, freesWord, freeUnderWay } from './counters.ts';
import type { FreeRuns } from './free-runs.ts';
import {
  bitsWordShift,
  freeAt,
  headKept,
  headLive,
  headRemote,
  keptAt,
  kindOfStackShift,
  lengthOf,
  liveAt,
  nobody,
  ownerMask,
  packSlab,
  pageGranuleShift,
  remoteAt,
  slabFreeCount,
  slabHeaderShift,
  slabNews,
  slabOwnerShift,
  stackMask,
  stateSlab,
  stateOf,
} from './layout.ts';
import { announceOrphan, tellOwner } from './remote.ts';
import { freeRun, repairSegment } from './repair.ts';
import type { SegmentView } from './segment-view.ts';
import { freeTogether } from './slab-blocks.ts';
import { slabHeaderAt, slabWordsOf, windowOfPage } from './walk.ts';

export interface Recovered {
  freedBlocks: number;
  freedBytes: number;
}

export interface RecoveryRules {
  readonly region: Region;
  readonly zeroKinds: number;
  /** Whether what this owner has is to be recovered. */
  isDead(owner: number): boolean;
  /** Counters that a free of this owner's memory is counted in. */
  countersOf(owner: number): Words;
}

interface Scene {
  readonly view: SegmentView;
  readonly rules: RecoveryRules;
  readonly result: Recovered;
  /** Reference of granule 0 of the segment. */
  readonly firstRef: Ref;
}

/** @throws pool_corrupt when the page table cannot be followed: not the work of a crash */
export function recoverSegment(
  view: SegmentView,
  free: FreeRuns,
  rules: RecoveryRules,
  result: Recovered,
): void {
  const { segmentShift, slabShift } = rules.region;
  const firstRef = view.segment.number << (segmentShift - granuleShift);
  const scene: Scene = { view, rules, result, firstRef };
  clearStaleHeaders(view, slabShift);
  repairSegment(view, free, rules.zeroKinds, (page, head) => {
    if (stateOf(head) === stateSlab) recoverSlabPages(scene, page, head);
    else recoverRun(scene, page);
  });
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

function recoverRun({ view, rules, result, firstRef }: Scene, page: number): void {
  const { table } = view;
  for (;;) {
    // In this order: who claims a run labels it first.
    const head = table.loadHead(page);
    const owner = table.owner(page);
    if (!rules.isDead(owner)) return;
    if ((head & headLive) === 0) return freeRun(view, page, head, rules.zeroKinds);
    if ((head & headKept) !== 0) {
      if (table.swapOwner(page, owner, nobody)) return;
      continue; // one of the living frees it
    }
    // Given back first, whatever happens to us: from here on it is free.
    const counters = rules.countersOf(owner);
    beginFree(counters, firstRef + (page << pageGranuleShift));
    const givenBack = (head & ~headLive) | headRemote;
    if (!table.swapHead(page, head, givenBack)) {
      poke(counters, freeUnderWay, 0);
      continue;
    }
    countOne(counters, freesWord);
    freeRun(view, page, givenBack, rules.zeroKinds);
    result.freedBlocks++;
    result.freedBytes += lengthOf(head) << pageShift;
    return;
  }
}

function recoverSlabPages(scene: Scene, page: number, head: number): void {
  const { view, rules } = scene;
  const { slabShift } = rules.region;
  const header = load(view.headers, windowOfPage(page, slabShift) << slabHeaderShift);
  const owner = header === 0 ? view.table.owner(page) : (header >> slabOwnerShift) & ownerMask;
  if (rules.isDead(owner)) {
    if (header === 0 || recoverSlab(scene, page, owner)) freeRun(view, page, head, 0);
  } else if (header !== 0) announceAgain(rules.region, view, page);
}

/** Whoever set a remote bit may have died before it told the owner. */
function announceAgain(region: Region, view: SegmentView, page: number): void {
  const slabWords = slabWordsOf(region.slabShift);
  const window = windowOfPage(page, region.slabShift);
  for (let word = 0; word < slabWords; word++) {
    const at = (window * slabWords + word) << bitsWordShift;
    if (peek(view.bits, at + remoteAt) !== 0) tellOwner(region, view.headers, window, word);
  }
}

/** @returns true when nothing of the slab is live: its header is gone */
function recoverSlab(scene: Scene, page: number, owner: number): boolean {
  const { view, rules } = scene;
  const { slabShift } = rules.region;
  const header = slabHeaderAt(view, page, slabShift);
  const { starts } = classTable(slabShift);
  const window = windowOfPage(page, slabShift);
  const slabWords = slabWordsOf(slabShift);
  const at = window << slabHeaderShift;
  let live = 0;
  let free = 0;
  if (peek(view.headers, at + slabNews) !== 0) and(view.headers, at + slabNews, 0);
  for (let word = 0; word < slabWords; word++) {
    const first = (window * slabWords + word) << bitsWordShift;
    recoverWord(scene, first, header, owner);
    // Who set a bit since found the word not empty, and told nobody.
    if (load(view.bits, first + remoteAt) !== 0) or(view.headers, at + slabNews, 1 << (word & 31));
    const stays = peek(view.bits, first + liveAt);
    const unused = (starts[(header % classCount) * slabWords + word] as number) & ~stays;
    setWord(view.bits, first + freeAt, unused);
    live += bitCount(stays);
    free += bitCount(unused);
  }
  if (live === 0) {
    store(view.headers, at, 0);
    return true;
  }
  setWord(view.headers, at + slabFreeCount, free);
  if (owner !== nobody) store(view.headers, at, packSlab(header & stackMask, nobody));
  announceOrphan(rules.region, view.headers, at, header & stackMask);
  return false;
}

/** Frees what nobody kept and what was freed already, of 32 granules. */
function recoverWord(
  { view, rules, result, firstRef }: Scene,
  at: number,
  header: number,
  owner: number,
): void {
  const { bits } = view;
  const sizeBytes = classBytes(header % classCount);
  const isZeroed = ((rules.zeroKinds >> ((header & stackMask) >> kindOfStackShift)) & 1) === 1;
  const remote = load(bits, at + remoteAt);
  const live = peek(bits, at + liveAt);
  const lost = live & ~load(bits, at + keptAt) & ~remote;
  const taken = live & (lost | remote);
  for (let left = isZeroed ? taken : 0; left !== 0; left &= left - 1) {
    const fromByte = ((at << 3) + 31 - Math.clz32(left & -left)) << granuleShift;
    zero(view.segment.bytes, fromByte, fromByte + sizeBytes);
  }
  freeTogether(rules.countersOf(owner), bits, at, firstRef + (at << 3), taken);
  result.freedBlocks += bitCount(lost);
  result.freedBytes += bitCount(lost) * sizeBytes;
  const stays = peek(bits, at + liveAt);
  if ((peek(bits, at + keptAt) & ~stays) !== 0) and(bits, at + keptAt, stays);
  if (remote !== 0) and(bits, at + remoteAt, ~remote);
}

function setWord(words: Words, index: number, value: number): void {
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
