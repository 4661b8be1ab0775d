/** Counters of an instance, in memory that the thread of the engine reads: one writer, whole numbers. */

import { Buckets, type Spread } from '../../base/buckets.ts';
import { refusals, type Refusal } from '../api.ts';

const plainNames = [
  'promptTokens',
  'cachedTokens',
  'completionTokens',
  'preempted',
  'promptBatches',
  'blocksWritten',
  'blocksShared',
  'blocksRestored',
  'blocksDropped',
  'blocksRejected',
] as const;

export type CounterName = (typeof plainNames)[number];

/** Sequences whose next tokens are computed together. */
const batchBounds = [1, 2, 4, 8, 16, 32, 64];
const batchesAt = plainNames.length + refusals.length;
const cellCount = batchesAt + Buckets.cellsOf(batchBounds);

/** An f64 each: plain names, refusals, batches of answers by their size. */
export class Counters {
  readonly #cells: Float64Array;
  readonly #batches: Buckets;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8 * cellCount)) {
    this.#cells = new Float64Array(memory);
    this.#batches = new Buckets(batchBounds, this.#cells.subarray(batchesAt));
  }

  /** A batch of the next tokens of so many sequences. */
  batch(sequences: number): void {
    this.#batches.record(sequences);
  }

  readBatches(): Spread {
    return this.#batches.read();
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
