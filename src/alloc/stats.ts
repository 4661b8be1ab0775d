/**
 * Totals of an allocator, counted from its memory or taken from its books on the heap, and the
 * statistics made of them.
 */

import { pageBytes, type Region } from '../memory/region.ts';
import type { AllocatorStats, Tier } from './api.ts';
import { classBytes, classCount } from './classes.ts';
import { sumCounter } from './counters.ts';
import { kinds } from './kind.ts';
import {
  kindOfHead,
  kindOfStackShift,
  lengthOf,
  stackMask,
  stateExtent,
  stateFree,
  stateOf,
  stateSlab,
} from './layout.ts';
import type { RunSpace } from './runs.ts';
import type { SegmentView } from './segment-view.ts';
import { type Slabs, stackCount } from './slabs.ts';
import { countLive, slabHeaderAt } from './walk.ts';

/** What allocate and free keep on the heap. */
export interface Books {
  readonly runs: RunSpace;
  readonly slabs: Slabs;
}

export interface Totals {
  metadataPages: number;
  freePages: number;
  longestFreePages: number;
  /** Per stack (kind · 32 + class). */
  readonly slabs: Int32Array;
  readonly liveBlocks: Int32Array;
  /** Of L2, then of L3: per kind. */
  readonly runBlocks: Int32Array;
  readonly runPages: Int32Array;
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
    slabs: new Int32Array(stackCount),
    liveBlocks: new Int32Array(stackCount),
    runBlocks: new Int32Array(2 * kinds.length),
    runPages: new Int32Array(2 * kinds.length),
  };
  for (const view of views) {
    totals.metadataPages += view.layout.dataPage;
    view.table.walk((page, head) => addRun(totals, view, page, head, slabShift), damaged);
  }
  return totals;
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
    const header = slabHeaderAt(view, page, slabShift);
    if (header === 0) return;
    addTo(totals.slabs, header & stackMask, 1);
    addTo(totals.liveBlocks, header & stackMask, countLive(view, page, slabShift));
  } else {
    const cell = (state === stateExtent ? kinds.length : 0) + kindOfHead(head);
    addTo(totals.runBlocks, cell, 1);
    addTo(totals.runPages, cell, pages);
  }
}

function addTo(cells: Int32Array, index: number, value: number): void {
  cells[index] = (cells[index] as number) + value;
}

/** The same from the books that allocate and free keep: no walk. */
export function bookedTotals({ runs, slabs }: Books): Totals {
  return {
    metadataPages: runs.metadataPages,
    freePages: runs.freePages,
    longestFreePages: runs.longestFreeRun(),
    slabs: slabs.slabCounts,
    liveBlocks: Int32Array.from({ length: stackCount }, (_, stack) => slabs.liveBlocks(stack)),
    runBlocks: runs.runBlocks,
    runPages: runs.runPages,
  };
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
    add(
      cell % kinds.length,
      cell < kinds.length ? tiers.l2 : tiers.l3,
      blocks,
      bytes,
      bytes,
      blocks,
    );
  }
  return {
    reservedBytes,
    metadataBytes: totals.metadataPages * pageBytes,
    usedBytes: perKind.reduce((sum, share) => sum + share.usedBytes, 0),
    liveBytes: perKind.reduce((sum, share) => sum + share.liveBytes, 0),
    freeBytes: totals.freePages * pageBytes,
    largestFreeRunBytes: totals.longestFreePages * pageBytes,
    kinds: perKind,
    tiers,
    ...counters,
  };
}

/** Exact statistics: from the books where there are any, else by counting. */
export function statsOf(
  region: Region,
  views: readonly SegmentView[],
  books: Books | undefined,
): AllocatorStats {
  const { slabShift } = region;
  const totals =
    books === undefined ? survey(views, slabShift, () => undefined) : bookedTotals(books);
  const reservedBytes = views.reduce((sum, { segment }) => sum + segment.sizeBytes, 0);
  return statsFrom(totals, reservedBytes, 2 ** slabShift, {
    allocations: sumCounter(region, 'allocations'),
    frees: sumCounter(region, 'frees'),
    failures: sumCounter(region, 'failures'),
  });
}
