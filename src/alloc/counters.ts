/**
 * The allocator's counters: 64-bit cells in region memory, one writer each, monotone, summed over
 * owners on read.
 */

import { ownerCountersByte, ownerCountersBytes, ownersMaxLimit } from '../memory/layout.ts';
import type { Region, Segment } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';

/** Word indices of the cells among an owner's counters, low word first. */
export const counterWords = { allocations: 0, frees: 2, failures: 4 } as const;

export type CounterName = keyof typeof counterWords;

/** The counters of one owner. */
export function ownerCounters(region: Region, owner: number): Words {
  const first = (ownerCountersByte + owner * ownerCountersBytes) >> 2;
  return (region.segments[0] as Segment).words.subarray(first, first + (ownerCountersBytes >> 2));
}

function readCounter(counters: Words, word: number): number {
  return (peek(counters, word + 1) >>> 0) * 2 ** 32 + (peek(counters, word) >>> 0);
}

function writeCounter(counters: Words, word: number, value: number): void {
  poke(counters, word, value | 0);
  poke(counters, word + 1, Math.floor(value / 2 ** 32));
}

/** A counter summed over all owners. */
export function sumCounter(region: Region, name: CounterName): number {
  let sum = 0;
  for (let owner = 0; owner < ownersMaxLimit; owner++) {
    sum += readCounter(ownerCounters(region, owner), counterWords[name]);
  }
  return sum;
}

/**
 * What a crash left between a change and its count: counters are monotone, so the one that lags is
 * raised.
 */
export function balanceCounters(region: Region, owner: number, liveBlocks: number): void {
  const lag = sumCounter(region, 'allocations') - sumCounter(region, 'frees') - liveBlocks;
  if (lag === 0) return;
  const counters = ownerCounters(region, owner);
  const word = lag > 0 ? counterWords.frees : counterWords.allocations;
  writeCounter(counters, word, readCounter(counters, word) + Math.abs(lag));
}
