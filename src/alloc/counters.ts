/**
 * The allocator's counters: 64-bit cells in region memory, one writer each, monotone, summed over
 * owners on read; and a line for what others tell an owner.
 *
 * ```
 *  word  0 1           2 3     4 5        6                       7                   8 9 10               16     17 … 31
 *       ┌─────────────┬───────┬──────────┬───────────────────────┬───────────────────┬──────────────┬─────┬──────┬──────┐
 *       │ allocations │ frees │ failures │ reference in the      │ the same of the   │ frees of one │  …  │ news │ tips │
 *       │ low high    │       │          │ making · 2^31 · count │ free under way    │ word of bits │     │      │      │
 *       └─────────────┴───────┴──────────┴───────────────────────┴───────────────────┴──────────────┴─────┴──────┴──────┘
 *  words 8 reference of the first granule, or 0 │ 9 which of the 32 │ 10 frees, low, before
 * ```
 * Before an owner makes a block live it writes down which, with the lowest bit of its count of
 * allocations: when it dies, whoever recovers it sees by that bit whether the block was counted, and
 * by the block whether it was made. Frees likewise. So counts are exact after any death. Blocks that are freed
 * together, by one store to their word, have cells of their own, with the whole count: their number may be even.
 * (But for the high half of a counter: who dies between the two stores of a carry, one in 2^32, has it mended when nobody lives.)
 *
 * A free is counted by the owner of the memory, when it takes the block back.
 *
 * *News* is set by those who freed a block of this owner, and cleared by it; tips (tips.ts) are theirs too.
 */

import { bitCount } from '../base/bits.ts';
import { ownerCountersByte, ownerCountersBytes, ownersMaxLimit } from '../memory/layout.ts';
import type { Ref, Region, Segment } from '../memory/region.ts';
import { increment, loadInOrder, peek, poke, store, type Words } from '../memory/words.ts';

/** Word indices of the cells among an owner's counters, low word first. */
export const allocationsWord = 0;
export const freesWord = 2;
export const failuresWord = 4;

/** Word of the reference that is about to be counted, beside the count it will change. */
export const allocationUnderWay = 6;
export const freeUnderWay = 7;

/** Word of the first reference, which of 32, and the count before, of blocks that are about to be freed together. */
export const freesUnderWay = 8;

/**
 * Word that says that others have freed blocks of this owner. In the line of others: they look at it as they free, and the owner writes the first
 * line with each of its operations.
 */
export const newsWord = 16;

const counterWords: Readonly<Record<'allocations' | 'frees' | 'failures', number>> = {
  allocations: allocationsWord,
  frees: freesWord,
  failures: failuresWord,
};

export type CounterName = keyof typeof counterWords;

/** Where the counters of an owner begin in the first segment. */
export function countersWord(owner: number): number {
  return (ownerCountersByte + owner * ownerCountersBytes) >> 2;
}

/** The counters of one owner. */
export function ownerCounters(region: Region, owner: number): Words {
  const first = countersWord(owner);
  return (region.segments[0] as Segment).words.subarray(first, first + (ownerCountersBytes >> 2));
}

/** Tells an owner that others have freed blocks of its. */
export function giveNews(region: Region, owner: number): void {
  const { words } = region.segments[0] as Segment;
  const word = countersWord(owner) + newsWord;
  if (loadInOrder(words, word) === 0) store(words, word, 1);
}

function readCounter(counters: Words, word: number): number {
  return (peek(counters, word + 1) >>> 0) * 2 ** 32 + (peek(counters, word) >>> 0);
}

function writeCounter(counters: Words, word: number, value: number): void {
  poke(counters, word, value | 0);
  poke(counters, word + 1, Math.floor(value / 2 ** 32));
}

/** Adds one to a 64-bit counter. */
export function countOne(counters: Words, word: number): void {
  if (increment(counters, word) === 0) carry(counters, word);
}

/** Counts in the other half of a 64-bit counter. */
export function carry(counters: Words, word: number): void {
  increment(counters, word + 1);
}

/** Writes down that `ref` is about to be freed; `countOne(counters, frees)` ends it. */
export function beginFree(counters: Words, ref: Ref): void {
  poke(counters, freeUnderWay, ref | (peek(counters, freesWord) << 31));
}

/** Writes down that some of 32 granules are about to be freed; `endFrees` ends it. */
export const beginFrees = (counters: Words, firstRef: Ref, blocks: number): void => {
  poke(counters, freeUnderWay, 0); // that one is counted: the lowest bit of the count will tell nothing of it
  poke(counters, freesUnderWay + 1, blocks);
  poke(counters, freesUnderWay + 2, peek(counters, freesWord));
  poke(counters, freesUnderWay, firstRef);
};

/** Adds `count` to the frees. */
export const endFrees = (counters: Words, count: number): void => {
  const before = peek(counters, freesWord);
  const sum = (before + count) | 0;
  poke(counters, freesWord, sum);
  if (sum >>> 0 < count) increment(counters, freesWord + 1);
  poke(counters, freesUnderWay, 0);
};

/** Writes down that `ref` is about to be made live; `countOne(counters, allocations)` ends it. */
export function beginAllocation(counters: Words, ref: Ref): void {
  poke(counters, allocationUnderWay, ref | (peek(counters, allocationsWord) << 31));
}

/**
 * Counts what a dead owner made live or freed and did not come to count.
 * @param isLive whether a reference is a live allocation, with a remote bit or without
 * @param isOwn whether it is this owner's: one that was not made may have been made by another since
 */
export function settleCounters(
  counters: Words,
  isLive: (ref: Ref) => boolean,
  isOwn: (ref: Ref) => boolean,
): void {
  const isMade = (ref: Ref): boolean => isLive(ref) && isOwn(ref);
  const isFreed = (ref: Ref): boolean => !isLive(ref);
  for (const [at, word, isDone] of [
    [allocationUnderWay, allocationsWord, isMade],
    [freeUnderWay, freesWord, isFreed],
  ] as const) {
    const written = peek(counters, at);
    const ref = written & 0x7fffffff;
    const isCounted = ((written >>> 31) ^ (peek(counters, word) & 1)) === 1;
    if (ref === 0 || isCounted) continue;
    if (isDone(ref)) countOne(counters, word);
    // Else the next owner of the slot would have it, and another may do so by then.
    else poke(counters, at, 0);
  }
  settleFrees(counters, isFreed);
}

function settleFrees(counters: Words, isFreed: (ref: Ref) => boolean): void {
  const firstRef = peek(counters, freesUnderWay);
  if (firstRef === 0) return;
  const blocks = peek(counters, freesUnderWay + 1);
  const one = firstRef + 31 - Math.clz32(blocks);
  const isCounted = peek(counters, freesWord) !== peek(counters, freesUnderWay + 2);
  if (!isCounted && isFreed(one)) endFrees(counters, bitCount(blocks));
  else poke(counters, freesUnderWay, 0);
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
 * What a crash left between a change and its count, where no owner lives: counters are monotone, so
 * the one that lags is raised.
 */
export function balanceCounters(region: Region, owner: number, liveBlocks: number): void {
  const lag = sumCounter(region, 'allocations') - sumCounter(region, 'frees') - liveBlocks;
  if (lag === 0) return;
  const counters = ownerCounters(region, owner);
  const word = lag > 0 ? freesWord : allocationsWord;
  writeCounter(counters, word, readCounter(counters, word) + Math.abs(lag));
}
