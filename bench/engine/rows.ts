/** Rows of requests: exact quantiles of their latencies, what they take of memory, and what a million of them costs. */

import { Histogram } from '../../src/base/histogram.ts';
import { type Bar, type Quantiles, type Row, toRow } from '../harness/row.ts';
import { quantile } from '../harness/stats.ts';

export interface Times {
  readonly name: string;
  /** Of a request, the whole of a round divided by its requests. */
  readonly roundsNs: number[];
  readonly latenciesNs: number[];
  readonly firstNs: number[];
}

export function timesOf(name: string): Times {
  return { name, roundsNs: [], latenciesNs: [], firstNs: [] };
}

export interface RequestExtras {
  readonly note: string;
  readonly bars?: readonly Bar[];
  readonly memoryBytes?: number | undefined;
  readonly pricePerHour: number;
}

export function requestRow(workload: string, times: Times, extras: RequestExtras): Row {
  const { note, bars = [], memoryBytes, pricePerHour } = extras;
  const measured = { ...times, batch: 1, histogram: new Histogram(), settled: true };
  const row = toRow('engine', workload, measured, { bars, note });
  return {
    ...row,
    ...exactly(times.latenciesNs),
    firstToken: exactly(times.firstNs),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    costPerMillion: ((pricePerHour / 3600) * 1e6) / row.opsPerSecond,
  };
}

function exactly(valuesNs: readonly number[]): Quantiles {
  return {
    p50Ns: quantile(valuesNs, 0.5),
    p95Ns: quantile(valuesNs, 0.95),
    p99Ns: quantile(valuesNs, 0.99),
    p999Ns: quantile(valuesNs, 0.999),
  };
}
