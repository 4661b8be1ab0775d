/** Totals of an allocator, counted from its memory, and the statistics made of them. */

import { bitCount } from '../base/bits.ts';
import { pageBytes, type Region } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { absentPagesOf, epochOf } from './absent.ts';
import type { AllocatorStats, Fragmentation, Tier, Waste } from './api.ts';
import { classBytes, classCount, stackCount } from './classes.ts';
import { sumCounter } from './counters.ts';
import { kinds } from './kind.ts';
import {
  bitsWordShift,
  headLive,
  kindOfHead,
  kindOfStackShift,
  lengthOf,
  liveAt,
  remoteAt,
  stackMask,
  stateExtent,
  stateFree,
  stateOf,
  stateSlab,
} from './layout.ts';
import type { SegmentView } from './segment-view.ts';
import { slabHeaderAt, slabWordsOf, windowOfPage } from './walk.ts';

export interface Totals {
  metadataPages: number;
  freePages: number;
  longestFreePages: number;
  /** Free pages whose memory is with the system. */
  absentPages: number;
  /** Blocks that another owner has freed and their own has yet to take back. */
  pendingBlocks: number;
  /** Per stack (kind · 32 + class). */
  readonly slabs: Int32Array;
  readonly liveBlocks: Int32Array;
  /** Of L2, then of L3, per kind: live runs, their pages, and pages of runs that wait to be used again. */
  readonly runBlocks: Int32Array;
  readonly runPages: Int32Array;
  readonly idlePages: Int32Array;
}

/** Counts everything from page tables, slab headers and live bits. */
export function survey(
  views: readonly SegmentView[],
  slabShift: number,
  damaged?: (page: number) => void,
): Totals {
  const totals: Totals = {
    metadataPages: 0,
    freePages: 0,
    longestFreePages: 0,
    absentPages: 0,
    pendingBlocks: 0,
    slabs: new Int32Array(stackCount),
    liveBlocks: new Int32Array(stackCount),
    runBlocks: new Int32Array(2 * kinds.length),
    runPages: new Int32Array(2 * kinds.length),
    idlePages: new Int32Array(2 * kinds.length),
  };
  const first = views[0];
  const epoch = first === undefined ? 0 : epochOf(first.words);
  for (const view of views) {
    totals.metadataPages += view.layout.dataPage;
    view.table.walk((page, head) => {
      addRun(totals, view, page, head, slabShift);
      totals.absentPages += absentPagesOf(view, slabShift, epoch, page);
    }, damaged);
  }
  return totals;
}

/** Blocks that counters say are live: also those whose owner has yet to take them back. */
export function countedBlocks(views: readonly SegmentView[], slabShift: number): number {
  const totals = survey(views, slabShift, () => undefined);
  const live = [...totals.liveBlocks, ...totals.runBlocks];
  return live.reduce((sum, blocks) => sum + blocks, totals.pendingBlocks);
}

function addRun(
  totals: Totals,
  view: SegmentView,
  page: number,
  head: number,
  slabShift: number,
): void {
  const state = stateOf(head);
  const pages = lengthOf(head);
  if (state === stateFree) {
    totals.freePages += pages;
    totals.longestFreePages = Math.max(totals.longestFreePages, pages);
  } else if (state === stateSlab) {
    addSlab(totals, view, page, slabShift);
  } else {
    const cell = (state === stateExtent ? kinds.length : 0) + kindOfHead(head);
    if ((head & headLive) === 0) return addTo(totals.idlePages, cell, pages);
    addTo(totals.runBlocks, cell, 1);
    addTo(totals.runPages, cell, pages);
  }
}

function addSlab(totals: Totals, view: SegmentView, page: number, slabShift: number): void {
  const header = slabHeaderAt(view, page, slabShift);
  if (header === 0) return;
  const slabWords = slabWordsOf(slabShift);
  const first = windowOfPage(page, slabShift) * slabWords;
  let live = 0;
  for (let word = first; word < first + slabWords; word++) {
    const at = word << bitsWordShift;
    const counted = peek(view.bits, at + liveAt);
    if (counted === 0) continue;
    const pending = counted & peek(view.bits, at + remoteAt);
    live += bitCount(counted & ~pending);
    if (pending !== 0) totals.pendingBlocks += bitCount(pending);
  }
  addTo(totals.slabs, header & stackMask, 1);
  addTo(totals.liveBlocks, header & stackMask, live);
}

function addTo(cells: Int32Array, index: number, value: number): void {
  cells[index] = (cells[index] as number) + value;
}

type Share = { usedBytes: number; liveBytes: number; liveBlocks: number };
type TierShare = Share & { runs: number };

function addShare(share: Share, usedBytes: number, liveBytes: number, liveBlocks: number): void {
  share.usedBytes += usedBytes;
  share.liveBytes += liveBytes;
  share.liveBlocks += liveBlocks;
}

function statsFrom(
  totals: Totals,
  reservedBytes: number,
  slabBytes: number,
  counters: Pick<AllocatorStats, 'allocations' | 'frees' | 'failures'>,
): AllocatorStats {
  const perKind: Share[] = kinds.map(() => ({ usedBytes: 0, liveBytes: 0, liveBlocks: 0 }));
  const empty = (): TierShare => ({ runs: 0, usedBytes: 0, liveBytes: 0, liveBlocks: 0 });
  const tiers: Record<Tier, TierShare> = { l1: empty(), l2: empty(), l3: empty() };
  const add = (
    kind: number,
    tier: TierShare,
    runs: number,
    used: number,
    live: number,
    blocks: number,
  ): void => {
    tier.runs += runs;
    addShare(tier, used, live, blocks);
    addShare(perKind[kind] as Share, used, live, blocks);
  };
  for (let stack = 0; stack < stackCount; stack++) {
    const slabs = totals.slabs[stack] as number;
    if (slabs === 0) continue;
    const blocks = totals.liveBlocks[stack] as number;
    add(
      stack >> kindOfStackShift,
      tiers.l1,
      slabs,
      slabs * slabBytes,
      blocks * classBytes(stack % classCount),
      blocks,
    );
  }
  for (let cell = 0; cell < 2 * kinds.length; cell++) {
    const blocks = totals.runBlocks[cell] as number;
    const bytes = (totals.runPages[cell] as number) * pageBytes;
    const idleBytes = (totals.idlePages[cell] as number) * pageBytes;
    add(
      cell % kinds.length,
      cell < kinds.length ? tiers.l2 : tiers.l3,
      blocks,
      bytes + idleBytes,
      bytes,
      blocks,
    );
  }
  const usedBytes = perKind.reduce((sum, share) => sum + share.usedBytes, 0);
  return {
    reservedBytes,
    metadataBytes: totals.metadataPages * pageBytes,
    usedBytes,
    liveBytes: perKind.reduce((sum, share) => sum + share.liveBytes, 0),
    freeBytes: totals.freePages * pageBytes,
    givenBackBytes: totals.absentPages * pageBytes,
    largestFreeRunBytes: totals.longestFreePages * pageBytes,
    kinds: perKind,
    tiers,
    fragmentation: fragmentationOf(totals, usedBytes, slabBytes),
    ...counters,
  };
}

/** Where used memory is neither live nor can be free. */
export function fragmentationOf(
  totals: Totals,
  usedBytes: number,
  slabBytes: number,
): Fragmentation {
  const none = (): Waste => ({ internalBytes: 0, idleBytes: 0 });
  const perKind = kinds.map(none);
  const tiers: Record<Tier, Waste> = { l1: none(), l2: none(), l3: none() };
  const sum = none();
  const add = (kind: number, tier: Tier, internalBytes: number, idleBytes: number): void => {
    for (const waste of [perKind[kind] as Waste, tiers[tier], sum] as Mutable<Waste>[]) {
      waste.internalBytes += internalBytes;
      waste.idleBytes += idleBytes;
    }
  };
  for (let stack = 0; stack < stackCount; stack++) {
    const slabs = totals.slabs[stack] as number;
    if (slabs === 0) continue;
    const sizeBytes = classBytes(stack % classCount);
    const blocks = Math.floor(slabBytes / sizeBytes);
    const idleBlocks = slabs * blocks - (totals.liveBlocks[stack] as number);
    const tailBytes = slabs * (slabBytes - blocks * sizeBytes);
    add(stack >> kindOfStackShift, 'l1', tailBytes, idleBlocks * sizeBytes);
  }
  for (const [cell, pages] of totals.idlePages.entries()) {
    add(cell % kinds.length, cell < kinds.length ? 'l2' : 'l3', 0, pages * pageBytes);
  }
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  return {
    external: share(totals.freePages - totals.longestFreePages, totals.freePages),
    internal: share(sum.internalBytes, usedBytes),
    temporal: share(sum.idleBytes, usedBytes),
    kinds: perKind,
    tiers,
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Exact statistics, when no owner is at work. Reads page tables and bitmaps. */
export function statsOf(region: Region, views: readonly SegmentView[]): AllocatorStats {
  const totals = survey(views, region.slabShift, () => undefined);
  const reservedBytes = views.reduce((sum, { segment }) => sum + segment.sizeBytes, 0);
  return statsFrom(totals, reservedBytes, 2 ** region.slabShift, {
    allocations: sumCounter(region, 'allocations'),
    frees: sumCounter(region, 'frees') + totals.pendingBlocks,
    failures: sumCounter(region, 'failures'),
  });
}
