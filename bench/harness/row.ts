/** One line of a result, and the bars it is held against. */

import type { Histogram } from '../../src/base/histogram.ts';
import type { Measured } from './rounds.ts';
import { median } from './stats.ts';

export interface Bar {
  /** What is compared, with its unit: `ns/op`, `× lmdb`. */
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  readonly direction: 'atMost' | 'atLeast';
}

export interface Row {
  readonly suite: string;
  readonly workload: string;
  readonly subject: string;
  readonly workers: number;
  readonly opsPerSecond: number;
  /** Quantiles of batches, divided by the operations in a batch. */
  readonly p50Ns: number;
  readonly p95Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  /** Of allocations and of frees alone, where they were timed apart. */
  readonly allocate?: Quantiles;
  readonly free?: Quantiles;
  /** The same by size, where a workload draws from several ranges. */
  readonly sizes?: readonly SizeQuantiles[];
  /** Of a request: when its first token came. */
  readonly firstToken?: Quantiles;
  /** What the subject took of memory at most. */
  readonly memoryBytes?: number;
  /** Of a million operations, at the price of an hour that was stated. */
  readonly costPerMillion?: number;
  readonly usableRatio?: number;
  /** Reserved bytes over the usable bytes of what is live. */
  readonly reservedRatio?: number;
  /** The same at the end of a run, after compaction. */
  readonly compactedRatio?: number;
  readonly peakBytes?: number;
  readonly peakReservedBytes?: number;
  /** Memory over a long run. */
  readonly samples?: readonly Sample[];
  /** Time per operation over that of mimalloc, by medians. */
  readonly ratioToMimalloc?: number;
  /** Operations timed together. */
  readonly batch: number;
  /** Median over rounds; `opsPerSecond` is its inverse. */
  readonly medianNs: number;
  readonly roundsNs: readonly number[];
  readonly note?: string;
  readonly bars?: readonly Bar[];
}

export interface Sample {
  readonly operations: number;
  /** Live, as asked for. */
  readonly requestedBytes: number;
  /** Live, as handed out. */
  readonly usableBytes: number;
  /** What the allocator holds. */
  readonly reservedBytes: number;
}

/** Nanoseconds per operation, of batches. */
export interface Quantiles {
  readonly p50Ns: number;
  readonly p95Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
}

export interface SizeQuantiles {
  readonly lowBytes: number;
  readonly highBytes: number;
  readonly allocate: Quantiles;
  readonly free: Quantiles;
}

export interface Memory {
  readonly usableRatio: number;
  readonly reservedRatio?: number;
  /** The same at the end of a run, after compaction. */
  readonly compactedRatio?: number;
  readonly peakBytes: number;
  readonly peakReservedBytes: number;
}

export interface RowExtras {
  readonly memory?: Memory | undefined;
  readonly note?: string;
  readonly bars?: readonly Bar[];
  readonly workers?: number;
  readonly allocate?: Quantiles;
  readonly free?: Quantiles;
  readonly sizes?: readonly SizeQuantiles[];
  readonly ratioToMimalloc?: number | undefined;
  readonly samples?: readonly Sample[];
}

export function toRow(
  suite: string,
  workload: string,
  measured: Measured,
  extras: RowExtras = {},
): Row {
  const medianNs = median(measured.roundsNs);
  return {
    suite,
    workload,
    subject: measured.name,
    workers: extras.workers ?? 1,
    opsPerSecond: 1e9 / medianNs,
    ...quantilesOf(measured.histogram, measured.batch),
    ...(extras.allocate === undefined ? {} : { allocate: extras.allocate }),
    ...(extras.free === undefined ? {} : { free: extras.free }),
    ...(extras.sizes === undefined ? {} : { sizes: extras.sizes }),
    ...extras.memory,
    ...(extras.samples === undefined ? {} : { samples: extras.samples }),
    ...(extras.ratioToMimalloc === undefined ? {} : { ratioToMimalloc: extras.ratioToMimalloc }),
    batch: measured.batch,
    medianNs,
    roundsNs: measured.roundsNs,
    ...(extras.note === undefined ? {} : { note: extras.note }),
    ...(extras.bars === undefined ? {} : { bars: extras.bars }),
  };
}

/** Quantiles of batches, divided by the operations in one. */
export function quantilesOf(histogram: Histogram, batch: number): Quantiles {
  return {
    p50Ns: histogram.quantile(0.5) / batch,
    p95Ns: histogram.quantile(0.95) / batch,
    p99Ns: histogram.quantile(0.99) / batch,
    p999Ns: histogram.quantile(0.999) / batch,
  };
}

export function isMet(bar: Bar): boolean {
  return bar.direction === 'atMost' ? bar.value <= bar.limit : bar.value >= bar.limit;
}
