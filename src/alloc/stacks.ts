/** The private stacks in front of slabs: blocks that are neither live nor free. */

import { kindMask } from './kind.ts';
import { classCount, type ClassTable, stackCount } from './classes.ts';

/**
 * A stack in `stacks`: its depth, the bound of its depth, then the references it holds, oldest
 * first.
 * ```
 * word 0 depth │ 1 limit │ 2 … limit + 1 references │ …
 * ```
 * One array for all: allocate and free look up one view.
 */
export const stackDepth = 0;
export const stackLimit = 1;
export const stackCells = 2;

/**
 * log2 of a stack's words; fewer where slabs are small, so that small pools do not keep much of
 * themselves in stacks.
 */
const stackShiftLarge = 7;
const stackShiftSmall = 4;
const largeSlabShift = 16;

/** Whether a pool is so small, by its slabs, that its owners hold back less: below 64 MiB. */
export function isSmall(slabShift: number): boolean {
  return slabShift < largeSlabShift;
}

export function stackShiftFor(slabShift: number): number {
  return isSmall(slabShift) ? stackShiftSmall : stackShiftLarge;
}

/** All stacks, empty; those of kinds that there are not have a limit of 0. */
export function makeStacks(table: ClassTable, stackShift: number): Int32Array {
  const stacks = new Int32Array(((kindMask + 1) * classCount) << stackShift);
  for (let stack = 0; stack < stackCount; stack++) {
    const twoSlabs = 2 * (table.blocks[stack % classCount] as number);
    const limit = Math.min((1 << stackShift) - stackCells, twoSlabs);
    stacks[(stack << stackShift) + stackLimit] = limit;
  }
  return stacks;
}
