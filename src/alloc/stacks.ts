/** The private stacks in front of slabs: blocks that are neither live nor free. */

import { kindMask } from './kind.ts';
import { classCount, type ClassTable, stackCount } from './classes.ts';

/**
 * A stack in `cells`: words, as many as a power of two. The first is the index, in the array, of the cell on top. Cells end where the stack ends: it is
 * full when the next one would be another stack's. The one below them is 0 for ever: the stack is empty when there is no reference on top.
 * ```
 * word 0 top │ … │ size - limit - 1: 0 │ size - limit … size - 1 references, oldest first
 * ```
 * One array for all: allocate and free look up one view.
 */
const cellsBelow = 2;

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

function stackShiftFor(slabShift: number): number {
  return isSmall(slabShift) ? stackShiftSmall : stackShiftLarge;
}

/** The stacks of an owner. Those of kinds that there are not are empty, and full. */
export class Stacks {
  /** log2 of the distance between stacks in `cells`. */
  readonly shift: number;
  readonly cells: Int32Array;
  readonly #limits: Int32Array;

  constructor(table: ClassTable, slabShift: number) {
    this.shift = stackShiftFor(slabShift);
    const most = (1 << this.shift) - cellsBelow;
    this.#limits = Int32Array.from({ length: (kindMask + 1) * classCount }, (_, stack) =>
      stack < stackCount ? Math.min(most, 2 * (table.blocks[stack % classCount] as number)) : 0,
    );
    this.cells = new Int32Array(this.#limits.length << this.shift);
    for (let stack = 0; stack < this.#limits.length; stack++) this.setDepth(stack, 0);
  }

  /** Most references in a stack: two slabs at most. */
  limit(stack: number): number {
    return this.#limits[stack] as number;
  }

  /** References in a stack. */
  depth(stack: number): number {
    return (this.cells[stack << this.shift] as number) - this.bottom(stack);
  }

  setDepth(stack: number, depth: number): void {
    this.cells[stack << this.shift] = this.bottom(stack) + depth;
  }

  /** The cell below the oldest reference of a stack. */
  bottom(stack: number): number {
    return ((stack + 1) << this.shift) - 1 - this.limit(stack);
  }
}
