/** One line of a result, and the bars it is held against. */

import type { Histogram } from './histogram.ts';
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
  readonly usableRatio?: number;
  readonly peakBytes?: number;
  readonly peakReservedBytes?: number;
  /** Operations timed together. */
  readonly batch: number;
  /** Median over rounds; `opsPerSecond` is its inverse. */
  readonly medianNs: number;
  readonly roundsNs: readonly number[];
  readonly note?: string;
  readonly bars?: readonly Bar[];
}

export interface Memory {
  readonly usableRatio: number;
  readonly peakBytes: number;
  readonly peakReservedBytes: number;
}

export interface RowExtras {
  readonly memory?: Memory | undefined;
  readonly note?: string;
  readonly bars?: readonly Bar[];
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
    workers: 1,
    opsPerSecond: 1e9 / medianNs,
    ...quantiles(measured.histogram, measured.batch),
    ...extras.memory,
    batch: measured.batch,
    medianNs,
    roundsNs: measured.roundsNs,
    ...(extras.note === undefined ? {} : { note: extras.note }),
    ...(extras.bars === undefined ? {} : { bars: extras.bars }),
  };
}

function quantiles(
  histogram: Histogram,
  batch: number,
): Pick<Row, 'p50Ns' | 'p95Ns' | 'p99Ns' | 'p999Ns'> {
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
