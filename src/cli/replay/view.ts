/** Tables of a replay. Pure. */

import type { Palette } from '../ansi.ts';
import { printable } from '../ansi.ts';
import { formatBytes, formatCount, formatDuration, formatShortCount } from '../format.ts';
import { table, type Column } from '../table.ts';
import { requestCount, type Trace } from '../../kv/traces/trace.ts';
import type { Percentiles, Timed } from './figures.ts';
import type { ServerReport } from './serve-trace.ts';
import type { SimulatedRow } from './simulate.ts';
import type { SizedRow } from './sized.ts';

/** What the trace is, and what no cache of any size can exceed. */
export function traceLine(trace: Trace, paint: Palette): string {
  const references = trace.references.length;
  const reused = references - trace.distinct;
  return (
    `${paint.bold(printable(trace.name))}: ${formatCount(requestCount(trace))} requests, ${formatCount(references)} ` +
    `blocks, ${formatCount(trace.distinct)} of them distinct: at most ${percent(reused / Math.max(1, references))} can hit`
  );
}

const simulatedColumns: readonly Column[] = [
  { title: 'policy', align: 'left' },
  { title: 'capacity', align: 'right' },
  { title: 'hits', align: 'right' },
  { title: 'hit ratio', align: 'right' },
  { title: 'optimum', align: 'right' },
  { title: 'evictions', align: 'right' },
  { title: 'blocks/s', align: 'right' },
];

export function simulatedTable(rows: readonly SimulatedRow[], paint: Palette): string[] {
  const cells = rows.map((row) => [
    row.policy,
    formatCount(row.capacityBlocks),
    formatCount(row.hits),
    paint.bold(percent(row.hitRatio)),
    percent(row.minHitRatio),
    formatCount(row.evictions),
    formatShortCount(row.blocksPerSecond),
  ]);
  return table(simulatedColumns, cells, paint);
}

const sizedColumns: readonly Column[] = [
  { title: 'policy', align: 'left' },
  { title: 'capacity', align: 'right' },
  { title: 'misses', align: 'right' },
  { title: 'miss ratio', align: 'right' },
];

export function sizedTable(rows: readonly SizedRow[], paint: Palette): string[] {
  const cells = rows.map((row) => [
    row.policy,
    formatBytes(row.capacityBytes),
    formatCount(row.misses),
    paint.bold(percent(row.missRatio)),
  ]);
  return table(sizedColumns, cells, paint);
}

const latencyColumns: readonly Column[] = [
  { title: 'latency', align: 'left' },
  { title: 'count', align: 'right' },
  { title: 'p50', align: 'right' },
  { title: 'p95', align: 'right' },
  { title: 'p99', align: 'right' },
  { title: 'longest', align: 'right' },
];

const timedNames: Readonly<Record<Timed, string>> = {
  has: 'is it there',
  read: 'read a block',
  write: 'write a block',
  request: 'whole request',
};

export function serverTable(report: ServerReport, paint: Palette): string[] {
  const { requests, blockRefs, hits, seconds, blockBytes } = report;
  const perSecond = (amount: number): number => (seconds > 0 ? amount / seconds : 0);
  const bytes = (amount: number): string =>
    `${formatBytes(amount)}, ${formatBytes(perSecond(amount))}/s`;
  const late = report.late > 0 ? `, ${formatCount(report.late)} waited for a free connection` : '';
  const figures: [string, string][] = [
    ['requests', `${formatCount(requests)} in ${formatDuration(seconds * 1000)}${late}`],
    [
      'blocks',
      `${formatCount(blockRefs)} of ${formatBytes(blockBytes)}, ${formatShortCount(report.blocksPerSecond)}/s`,
    ],
    ['hits', `${formatCount(hits)}, ${paint.bold(percent(report.hitRatio))}`],
    ['read', bytes(report.readBytes)],
    ['written', bytes(report.writtenBytes)],
  ];
  for (const [word, { count, example }] of Object.entries(report.refused))
    figures.push([
      'refused',
      paint.yellow(printable(`${formatCount(count)} × ${word}: ${example}`)),
    ]);
  if (report.wrong > 0)
    figures.push([
      'wrong',
      paint.red(`${formatCount(report.wrong)} blocks held other bytes than were written`),
    ]);
  const operations = Object.entries(report.latencyMs) as [Timed, Percentiles][];
  const latencies = operations.map(([what, { count, p50, p95, p99, max }]) => [
    timedNames[what],
    formatCount(count),
    ...[p50, p95, p99, max].map((ms) => (count === 0 ? '–' : latency(ms))),
  ]);
  return [
    ...figures.map(([name, text]) => `  ${paint.dim(name.padEnd(8))}  ${text}`),
    '',
    ...table(latencyColumns, latencies, paint),
  ];
}

/** Two decimals: that is what published hit ratios are given in. */
function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

/** Durations of operations are often far below a millisecond. */
function latency(durationMs: number): string {
  return durationMs < 0.9995 ? `${Math.round(durationMs * 1000)} µs` : formatDuration(durationMs);
}
