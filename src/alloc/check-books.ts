/** Verifies that the allocator's books on the heap (index, lists, stacks, totals) and its counters agree with the memory. */

import { granuleShift, type Ref, type Region } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import type { Report } from './check.ts';
import { classCount } from './classes.ts';
import { sumCounter } from './counters.ts';
import type { FreeRuns } from './free-runs.ts';
import { lengthOf, slabHeaderShift, stackMask, stateFree, stateOf } from './layout.ts';
import type { RunSpace } from './runs.ts';
import { type Slabs, stackCount } from './slabs.ts';
import type { SegmentView } from './segment-view.ts';
import { bookedTotals, type Totals } from './stats.ts';

export function checkBooks(runs: RunSpace, slabs: Slabs, counted: Totals, report: Report): void {
  const booked = bookedTotals(runs, slabs);
  for (const name of ['metadataPages', 'freePages', 'longestFreePages'] as const) {
    if (booked[name] !== counted[name])
      report(`books say ${name} ${booked[name]}, memory ${counted[name]}`);
  }
  for (const name of ['slabs', 'liveBlocks', 'runBlocks', 'runPages'] as const) {
    for (const [cell, value] of counted[name].entries()) {
      if (booked[name][cell] !== value)
        report(`books say ${name}[${cell}] ${booked[name][cell]}, memory ${value}`);
    }
  }
  for (const [number, view] of runs.views.entries())
    checkIndex(view, runs.free[number] as FreeRuns, report);
  checkStacks(runs, slabs, report);
}

/** @returns violations of: what was allocated and not freed is what is live */
export function checkCounters(region: Region, counted: Totals, report: Report): void {
  const live = [...counted.liveBlocks, ...counted.runBlocks].reduce(
    (sum, blocks) => sum + blocks,
    0,
  );
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
    const top = slabs.tops[stack] as number;
    if (top < 0 || top > (slabs.limits[stack] as number))
      report(`stack ${stack} holds ${top} blocks`);
    for (let cell = 0; cell < top; cell++) {
      const ref = slabs.cells[(stack << slabs.stackShift) + cell] as Ref;
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
  const taken = peek(view.liveKept, word) | peek(view.freeRemote, word);
  const bit = 1 << (granule & 31);
  return (
    header !== 0 && (header & stackMask) === stack && (start & bit) !== 0 && (taken & bit) === 0
  );
}
