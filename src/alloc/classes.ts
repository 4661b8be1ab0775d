/**
 * Size classes of L1: 32 of them, all multiples of 64 B, eight per doubling.
 *
 * ```
 * class    0…7        8…15        16…23        24…31
 * bytes    64…512     576…1024    1152…2048    2304…4096
 * step     64         64          128          256
 * ```
 * Waste is below 64 B, and at most 12.5 % from 392 B on.
 */

import { granuleShift, pageBytes } from '../memory/region.ts';
import { kinds } from './kind.ts';
import { runPagesLimit } from './layout.ts';

export const classCount = 32;
/** Stacks of an owner: kind · 32 + class. */
export const stackCount: number = kinds.length * classCount;
/** Largest size of L1. */
export const classBytesMax = 4096;
export const classGranulesMax = 64;

function granulesOf(sizeClass: number): number {
  if (sizeClass < 16) return sizeClass + 1;
  if (sizeClass < 24) return 16 + 2 * (sizeClass - 15);
  return 32 + 4 * (sizeClass - 23);
}

/** Granules in a block of each class. */
export const classGranules: Int32Array = Int32Array.from({ length: classCount }, (_, sizeClass) =>
  granulesOf(sizeClass),
);

/** Smallest class that holds this many granules, 1…64. */
export const classOfGranules: Int32Array = Int32Array.from(
  { length: classGranulesMax + 1 },
  (_, granules) => classGranules.findIndex((size) => size >= granules),
);

/** Bytes in a block of a class. */
export function classBytes(sizeClass: number): number {
  return (classGranules[sizeClass] as number) << granuleShift;
}

/** Longest run of any number of pages: 128 KiB. */
export const exactPagesMax = 32;

/**
 * A number of pages as longer runs of L2 have it: eight lengths per doubling, so that one that was freed can be had again. Waste is below 12.5 %,
 * none at powers of two; while memory is plenty a request may get a run of the next two lengths (run-cache.ts).
 */
export function wholeSteps(pages: number): number {
  const step = 1 << (28 - Math.clz32(pages - 1));
  return (pages + step - 1) & -step;
}

/** Pages of a run for `sizeBytes`. */
export function pagesFor(sizeBytes: number): number {
  const pages = Math.ceil(sizeBytes / pageBytes);
  return pages > exactPagesMax && pages <= runPagesLimit ? wholeSteps(pages) : pages;
}

/** Usable bytes of an allocation of `sizeBytes`, at least: its class, or that of its run, which may be longer. */
export function usableBytes(sizeBytes: number): number {
  if (sizeBytes > classBytesMax) return pagesFor(sizeBytes) * pageBytes;
  return classBytes(classOfGranules[(sizeBytes + 63) >> granuleShift] as number);
}

/** What the 32 classes look like in slabs of one size. */
export interface ClassTable {
  /** Words of one bitmap of a slab. */
  readonly slabWords: number;
  /** Blocks in a slab of each class. */
  readonly blocks: Int32Array;
  /**
   * The bitmap of a slab with all blocks set: class · slabWords + word. Every valid block start has
   * its bit here.
   */
  readonly starts: Int32Array;
}

const tables = new Map<number, ClassTable>();

/** The table for slabs of 2^slabShift bytes; made once. */
export function classTable(slabShift: number): ClassTable {
  const known = tables.get(slabShift);
  if (known !== undefined) return known;
  const slabGranules = 1 << (slabShift - granuleShift);
  const slabWords = slabGranules >> 5;
  const blocks = new Int32Array(classCount);
  const starts = new Int32Array(classCount * slabWords);
  for (let sizeClass = 0; sizeClass < classCount; sizeClass++) {
    const step = classGranules[sizeClass] as number;
    for (let granule = 0; granule + step <= slabGranules; granule += step) {
      const at = sizeClass * slabWords + (granule >> 5);
      starts[at] = (starts[at] as number) | (1 << (granule & 31));
      blocks[sizeClass] = (blocks[sizeClass] as number) + 1;
    }
  }
  const table = { slabWords, blocks, starts };
  tables.set(slabShift, table);
  return table;
}
