/**
 * Verifies that the allocator's books on the heap (index, lists, stacks, totals) and its counters
 * agree with the memory.
 */

import { granuleShift, type Ref, type Region } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { checkSegment, faultsMax, type Report } from './check.ts';
import { classCount, classTable } from './classes.ts';
import { sumCounter } from './counters.ts';
import type { FreeRuns } from './free-runs.ts';
import { lengthOf, slabHeaderShift, stackMask, stateFree, stateOf } from './layout.ts';
import type { RunSpace } from './runs.ts';
import { type Slabs, stackCells, stackCount, stackLimit } from './slabs.ts';
import type { SegmentView } from './segment-view.ts';
import { liveBits } from './walk.ts';
import { bookedTotals, type Books, survey, type Totals } from './stats.ts';

/**
 * Verifies every invariant of an allocator.
 * @param books undefined where this thread only reads
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
  for (const view of views) checkSegment(view, slabShift, classTable(slabShift), report);
  const counted = survey(views, slabShift, () => undefined); // damage is reported already
  checkCounters(region, counted, report);
  if (books !== undefined) checkBooks(books, counted, report);
  return faults;
}

function checkBooks(books: Books, counted: Totals, report: Report): void {
  const { runs, slabs } = books;
  const booked = bookedTotals(books);
  for (const name of ['metadataPages', 'freePages', 'longestFreePages'] as const) {
    if (booked[name] === counted[name]) continue;
    report(`books say ${name} ${booked[name]}, memory ${counted[name]}`);
  }
  for (const name of ['slabs', 'liveBlocks', 'runBlocks', 'runPages'] as const) {
    for (const [cell, value] of counted[name].entries()) {
      if (booked[name][cell] === value) continue;
      report(`books say ${name}[${cell}] ${booked[name][cell]}, memory ${value}`);
    }
  }
  for (const [number, view] of runs.views.entries()) {
    checkIndex(view, runs.free[number] as FreeRuns, report);
  }
  checkStacks(runs, slabs, report);
}

/** What was allocated and not freed is what is live. */
function checkCounters(region: Region, counted: Totals, report: Report): void {
  const live = [...counted.liveBlocks, ...counted.runBlocks].reduce((sum, blocks) => sum + blocks);
  const balance = sumCounter(region, 'allocations') - sumCounter(region, 'frees');
  if (balance !== live) report(`counters say ${balance} live blocks, memory ${live}`);
}

function checkIndex(view: SegmentView, free: FreeRuns, report: Report): void {
  const say: Report = (fault) => report(`segment ${view.segment.number}: ${fault}`);
  let inTable = 0;
  view.table.walk(
    (page, head) => {
      if (stateOf(head) !== stateFree) return;
      inTable++;
      if (free.lengthAt(page) !== lengthOf(head))
        say(`index has ${free.lengthAt(page)} pages at ${page}, table ${lengthOf(head)}`);
    },
    () => undefined, // reported by checkSegment
  );
  const inIndex = free.check(say);
  if (inIndex !== inTable) say(`index has ${inIndex} free runs, table ${inTable}`);
}

function checkStacks(runs: RunSpace, slabs: Slabs, report: Report): void {
  const seen = new Set<Ref>();
  for (let stack = 0; stack < stackCount; stack++) {
    const base = stack << slabs.stackShift;
    const depth = slabs.depth(stack);
    if (depth < 0 || depth > (slabs.stacks[base + stackLimit] as number)) {
      report(`stack ${stack} holds ${depth} blocks`);
    }
    for (let cell = 0; cell < depth; cell++) {
      const ref = slabs.stacks[base + stackCells + cell] as Ref;
      if (seen.has(ref)) report(`reference ${ref} is claimed twice`);
      seen.add(ref);
      if (!isClaimed(runs, slabs, stack, ref))
        report(`stack ${stack} holds ${ref}, which is not a claimed block of it`);
    }
  }
}

/** A block start of a slab of this stack that is neither free nor live. */
function isClaimed(runs: RunSpace, slabs: Slabs, stack: number, ref: Ref): boolean {
  const { segmentShift, slabShift } = runs.region;
  const view = runs.views[ref >> (segmentShift - granuleShift)];
  if (view === undefined) return false;
  const granule = ref & ((1 << (segmentShift - granuleShift)) - 1);
  const header = peek(view.headers, (granule >> (slabShift - granuleShift)) << slabHeaderShift);
  const { starts, slabWords } = slabs.table;
  const start = starts[
    (stack % classCount) * slabWords + ((granule >> 5) & (slabWords - 1))
  ] as number;
  const word = (granule >> 5) << 1;
  const taken = liveBits(view, granule >> 5) | peek(view.freeRemote, word);
  const bit = 1 << (granule & 31);
  return (
    header !== 0 && (header & stackMask) === stack && (start & bit) !== 0 && (taken & bit) === 0
  );
}
