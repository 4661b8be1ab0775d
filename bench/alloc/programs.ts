/** The JavaScript side of every program, by name. */

import type { Heap } from './heaps/heap.ts';
import { HouseProgram } from './house-program.ts';
import type { Latencies } from './house.ts';
import type { MemoryRun, Play } from './player.ts';

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
  latency(batches: number): Latencies;
  memory(operations: number, every: number): MemoryRun;
}

export function openProgram<H>(heap: Heap<H>, play: Play, worker: number): Program {
  if (play.program === 'house') return new HouseProgram(heap, play, worker);
  throw new Error(`no program ${play.program}`);
}
