/** Someone who plays a workload, a round at a time: threads of ours, or a native process. */

import type { Sample } from '../harness/row.ts';
import type { Reserved } from './heaps/heap.ts';
import type { Latencies } from './house.ts';
import type { HouseOptions } from './workloads.ts';

export interface Round {
  /** The slowest worker's time, without rest and without waiting for a processor that others had. */
  readonly elapsedNs: number;
  /** Of all workers. */
  readonly operations: number;
  readonly failures: number;
  /** Where each worker's generator stands: equal for all who drew the same stream. */
  readonly states: readonly number[];
}

export interface MemoryRun {
  readonly samples: readonly Sample[];
  /** At the end, after compaction. */
  readonly compacted?: Sample;
  /** How `reservedBytes` was counted. */
  readonly how: string;
  readonly failures: number;
  readonly note?: string;
}

export interface Player {
  readonly name: string;
  round(amount: number): Promise<Round>;
  latency(batches: number): Promise<Latencies>;
  memory(operations: number, every: number): Promise<MemoryRun>;
  /** What the allocator holds at this moment. */
  reserved(): Promise<Reserved>;
  close(): Promise<void>;
}

/** What is played: the same for everybody. */
export interface Play extends HouseOptions {
  readonly program: string;
  readonly workers: number;
  /** Numbers whose meaning is the program's. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** What a replay plays. */
  readonly file?: string;
}

export const emptyPlay: Omit<Play, 'program' | 'workers'> = {
  ranges: [],
  slots: 0,
  aligned: false,
  targetBytes: 0,
  burst: 0,
  a: 0,
  b: 0,
  c: 0,
};
