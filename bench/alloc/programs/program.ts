/** What a worker thread plays. */

import type { Latencies } from '../house.ts';
import type { MemoryRun } from '../player.ts';

/** One worker's share of a round. */
export interface Share {
  readonly operations: number;
  readonly failures: number;
  readonly state: number;
  /** Time at rest, not counted. */
  readonly restNs: number;
}

export interface Program {
  round(amount: number): Share;
  latency?(batches: number): Latencies;
  memory?(operations: number, every: number): MemoryRun;
}

/** The workers of a round. */
export interface Team {
  /** Waits until all are here. */
  readonly meet: () => void;
  /** Shared by all; how it is used is the program's affair. */
  readonly board: SharedArrayBuffer;
}

export function seedOf(worker: number): number {
  return 12345 + worker;
}

/** Handles that all workers see: references of ours, or anything where there is but one worker. */
export function sharedSlots<H>(
  none: H,
  board: SharedArrayBuffer,
  own: () => { [index: number]: H },
  workers: number,
): { [index: number]: H } {
  if (workers === 1) return own();
  if (typeof none !== 'number') throw new Error('blocks of this heap cannot go to other threads');
  return new Int32Array(board) as unknown as { [index: number]: H };
}
