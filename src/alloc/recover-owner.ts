/** Which owners are recovered, and when: recovery of segments is in recover.ts. */

import { fail } from '../errors.ts';
import { ownersMaxLimit } from '../memory/layout.ts';
import { ownerFree, ownerSlot, ownerWord } from '../memory/owners.ts';
import type { Region, Segment } from '../memory/region.ts';
import { load } from '../memory/words.ts';
import { balanceCounters, ownerCounters, settleCounters } from './counters.ts';
import type { Block, Marks } from './api.ts';
import { nobody } from './layout.ts';
import { Lookup } from './lookup.ts';
import { type Recovered, recoverSegment } from './recover.ts';
import type { RunOwner, RunSpace } from './runs.ts';
import type { SegmentRuns } from './segment-runs.ts';
import { walkBlocks } from './walk.ts';
import { countedBlocks } from './stats.ts';

/** What an owner who recovers others has. */
export interface Survivor {
  readonly region: Region;
  readonly runs: RunSpace;
  readonly owner: RunOwner;
}

/**
 * Recovers what owners have whom `isDead` names, in all segments.
 * @throws pool_busy when a living owner keeps the lock of a segment: call it again
 */
export function recoverLabels(
  { region, runs, owner }: Survivor,
  isDead: (owner: number) => boolean,
  zeroKinds: number = owner.zeroKinds,
): Recovered {
  const result: Recovered = { freedBlocks: 0, freedBytes: 0 };
  // Who inherits the locks of the dead ends what they were at: only then a head in a page table is one.
  eachSegment(runs, () => undefined);
  const lookup = new Lookup(region, runs.views);
  for (let slot = 0; slot < ownersMaxLimit; slot++) {
    if (!isDead(slot)) continue;
    settleCounters(
      ownerCounters(region, slot),
      (ref) => lookup.isCounted(ref),
      (ref) => lookup.ownerOf(ref) === slot,
    );
  }
  const rules = {
    region,
    zeroKinds,
    isDead,
    countersOf: (dead: number) =>
      dead < ownersMaxLimit ? ownerCounters(region, dead) : owner.counters,
  };
  eachSegment(runs, ({ view, free }) => recoverSegment(view, free, rules, result));
  return result;
}

/** Kept allocations that are not in `marks`. @throws pool_busy when a living owner keeps the lock of a segment */
export function unmarkedKept({ region, runs }: Survivor, marks: Marks): Block[] {
  const found: Block[] = [];
  eachSegment(runs, ({ view }) => {
    walkBlocks(view, region, (block) => {
      if (block.kept && !marks.has(block.ref)) found.push(block);
    });
  });
  return found;
}

/** Takes the locks of all segments. @returns what gives them back @throws pool_busy when a living owner keeps one */
export function freezeSegments({ runs }: Survivor): () => void {
  const held: SegmentRuns[] = [];
  const thaw = (): void => held.forEach((segment) => segment.leave());
  try {
    for (const segment of runs.segments) if (entered(segment)) held.push(segment);
  } catch (error) {
    thaw();
    throw error;
  }
  return thaw;
}

/** Runs `work` for each segment, under its lock. @throws pool_busy when a living owner keeps one */
function eachSegment(runs: RunSpace, work: (segment: SegmentRuns) => void): void {
  for (const segment of runs.segments) {
    if (!entered(segment)) continue;
    try {
      work(segment);
    } finally {
      segment.leave();
    }
  }
}

/** Takes a segment's lock. @returns false when another has dropped it: nothing was in it @throws pool_busy when a living owner keeps it */
function entered(segment: SegmentRuns): boolean {
  const entry = segment.enter();
  if (entry === 'busy')
    fail('pool_busy', `another owner holds the lock of segment ${segment.view.segment.number}`);
  return entry === 'taken';
}

/**
 * Recovers whoever had this slot before, all other owners that died, and, when no other lives, what
 * nobody has.
 */
export function recoverAll(survivor: Survivor): Recovered {
  const { region, runs, owner } = survivor;
  const result: Recovered = { freedBlocks: 0, freedBytes: 0 };
  withDead(survivor, (dead) => {
    const alone = !otherSlots(survivor).some((slot) => region.ownerLives(slot));
    // Looked up for each thing that is found: who takes a slot later does not own it.
    const isLeft = (slot: number): boolean =>
      slot === nobody || slotState(region, slot) === ownerFree;
    const isDead = (slot: number): boolean =>
      slot === owner.slot || dead.includes(slot) || (alone && isLeft(slot));
    Object.assign(result, recoverLabels(survivor, isDead));
    if (alone) balanceCounters(region, owner.slot, countedBlocks(runs.views, region.slabShift));
  });
  return result;
}

/** Recovers the owners who died without giving their slots back. @returns how many */
export function recoverDead(survivor: Survivor): number {
  let recovered = 0;
  withDead(survivor, (dead) => {
    if (dead.length > 0) recoverLabels(survivor, (slot) => dead.includes(slot));
    recovered = dead.length;
  });
  return recovered;
}

/** Holds the slots of all dead owners while `recover` runs, once. */
function withDead(survivor: Survivor, recover: (dead: readonly number[]) => void): void {
  const { region } = survivor;
  const suspects = otherSlots(survivor).filter((slot) => !region.ownerLives(slot));
  // In a private copy nobody can take a slot.
  if (region.readOnly || region.reclaim === undefined) return recover(suspects);
  const held: number[] = [];
  const holdFrom = (index: number): void => {
    const slot = suspects[index];
    if (slot === undefined) return recover(held);
    const isHeld = region.reclaim?.(slot, () => {
      held.push(slot);
      holdFrom(index + 1);
    });
    if (isHeld !== true) holdFrom(index + 1); // alive after all, or another recovers it
  };
  holdFrom(0);
}

/** Slots that others have, dead or alive. */
function otherSlots({ region, owner }: Survivor): number[] {
  const slots: number[] = [];
  for (let slot = 0; slot < region.superblock.ownersMax; slot++) {
    if (slot !== owner.slot && slotState(region, slot) !== ownerFree) slots.push(slot);
  }
  return slots;
}

function slotState(region: Region, slot: number): number {
  const { words } = region.segments[0] as Segment;
  return load(words, ownerWord(slot, ownerSlot.state));
}
