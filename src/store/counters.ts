/**
 * Counters in pool memory: one writer each, monotone, summed over owners on read. 64 bit as two words, so that they never wrap.
 */

import { ownersMaxLimit, storeCountersByte } from '../memory/layout.ts';
import type { Region } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';

export const operationNames = [
  'gets',
  'hits',
  'misses',
  'puts',
  'appends',
  'deletes',
  'evictions',
  'expirations',
  'invalidations',
  'poolFull',
  'versionConflicts',
  'corruptParts',
  'moves',
  'demotions',
  'bytesWritten',
  'bytesRead',
] as const;
export type OperationName = (typeof operationNames)[number];

const wordsPerOwner = 32;

/** Word of a counter within its owner's 32. */
export const counter = {
  hits: 2,
  misses: 4,
  puts: 6,
  appends: 8,
  deletes: 10,
  evictions: 12,
  expirations: 14,
  invalidations: 16,
  poolFull: 18,
  versionConflicts: 20,
  corruptParts: 22,
  bytesWritten: 24,
  bytesRead: 26,
  moves: 28,
  demotions: 30,
} as const;

/** Word index of owner `slot`'s counters in segment 0. */
export function countersOf(slot: number): number {
  return (storeCountersByte >>> 2) + slot * wordsPerOwner;
}

/** Adds `by` (below 2^31) to the 64-bit cell at `at`. */
export function bump(words: Words, at: number, by: number): void {
  const old = peek(words, at);
  const sum = (old + by) | 0;
  poke(words, at, sum);
  if (sum >>> 0 < old >>> 0) poke(words, at + 1, peek(words, at + 1) + 1);
}

export function readCell(words: Words, at: number): number {
  return (peek(words, at + 1) >>> 0) * 0x1_0000_0000 + (peek(words, at) >>> 0);
}

/** Sets the 64-bit cell at `at`. High word first: a version clock that is cut short in between is ahead, never behind. */
export function writeCell(words: Words, at: number, value: number): void {
  poke(words, at + 1, Math.floor(value / 0x1_0000_0000));
  poke(words, at, value | 0);
}

const counterCells = Object.entries(counter);

export function sumOperations(region: Region): Record<OperationName, number> {
  const { words } = region.segments[0] as { words: Words };
  const sums = Object.fromEntries(operationNames.map((name) => [name, 0])) as Record<
    OperationName,
    number
  >;
  for (const [name, cell] of counterCells) {
    for (let slot = 0; slot < ownersMaxLimit; slot++) {
      sums[name as OperationName] += readCell(words, countersOf(slot) + cell);
    }
  }
  sums.gets = sums.hits + sums.misses;
  return sums;
}
