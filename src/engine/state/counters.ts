/** Counters of an instance, in memory that the thread of the engine reads: one writer, whole numbers. */

import { refusals, type Refusal } from '../api.ts';

const plainNames = [
  'promptTokens',
  'cachedTokens',
  'completionTokens',
  'preempted',
  'blocksWritten',
  'blocksShared',
  'blocksRestored',
  'blocksDropped',
  'blocksRejected',
] as const;

export type CounterName = (typeof plainNames)[number];

export class Counters {
  readonly #cells: Float64Array;

  constructor(
    memory: SharedArrayBuffer = new SharedArrayBuffer(8 * (plainNames.length + refusals.length)),
  ) {
    this.#cells = new Float64Array(memory);
  }

  get memory(): SharedArrayBuffer {
    return this.#cells.buffer as SharedArrayBuffer;
  }

  add(name: CounterName, count: number): void {
    this.#bump(plainNames.indexOf(name), count);
  }

  refused(reason: Refusal): void {
    this.#bump(plainNames.length + refusals.indexOf(reason), 1);
  }

  read(name: CounterName): number {
    return this.#cells[plainNames.indexOf(name)] as number;
  }

  readRefused(reason: Refusal): number {
    return this.#cells[plainNames.length + refusals.indexOf(reason)] as number;
  }

  /** Adds what another has counted. */
  absorb(other: Counters): void {
    other.#cells.forEach((count, cell) => this.#bump(cell, count));
  }

  #bump(cell: number, count: number): void {
    this.#cells[cell] = (this.#cells[cell] as number) + count;
  }
}
