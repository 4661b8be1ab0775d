/**
 * Which entry of a store goes first: entries are drawn at random and ranked by what is known of each, as an age in ticks (accesses of the whole
 * store), so that ranks of different moments can be compared: one that is kept grows older like all others.
 */

import type { PolicyName } from './api.ts';
import { HazardEntries } from './hazard/entries.ts';

/** What is known of an entry. One object, filled anew for each look. */
export interface EntryFacts {
  ordinal: number;
  /** Another number when another part took the entry. */
  life: number;
  /** Tick of its last use, and ticks since. */
  lastAccess: number;
  ticks: number;
  /** Uses since it was written. */
  uses: number;
  kind: number;
  sizeBytes: number;
  /** What was said of its session: a StopReason, or 2 more than a SessionHint. */
  evidence: number;
}

export interface EntryRanking {
  /** The larger, the sooner it goes; below 2^31. */
  age(facts: EntryFacts): number;
  /** The entry is evicted: what becomes of it is not seen any more. */
  evicted(facts: EntryFacts): void;
}

export const evidenceOver = 3;
export const evidenceGoesOn = 4;

/** Age of a part whose session is over counts this many times. */
const closedWeight = 4;

/** Ticks since the last use, moved by what was said of the session. */
function weighted({ ticks, evidence }: EntryFacts): number {
  if (evidence === evidenceOver) return Math.min(ticks * closedWeight, 0x7fff_ffff);
  return evidence === evidenceGoesOn ? ticks >> 1 : ticks;
}

const lruEntries: EntryRanking = { age: weighted, evicted: () => {} };

/** Least uses for the time it has lain: hyperbolic caching (Blankstein et al., ATC 2017), with the age since the last use. */
const lfuEntries: EntryRanking = {
  age: (facts) => Math.floor(weighted(facts) / (facts.uses + 1)),
  evicted: () => {},
};

/** @param ticksShift log2 of the accesses that count as a second where ages are learned: about one for 2^16 entries */
export function makeEntryRanking(name: PolicyName, ticksShift: number): EntryRanking {
  if (name === 'hazard') return new HazardEntries(ticksShift);
  return name === 'lfu' ? lfuEntries : lruEntries;
}
