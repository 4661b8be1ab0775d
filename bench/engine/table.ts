/** The table of the suite: milliseconds, requests in a second, memory, and the price of a million. */

import { barText } from '../harness/report.ts';
import type { Row } from '../harness/row.ts';

type Column = readonly [name: string, cell: (row: Row) => string | undefined];

const ms = (ns: number | undefined): string | undefined =>
  ns === undefined ? undefined : rounded(ns / 1e6);

const shown = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : rounded(value);

const inMib = (bytes: number | undefined): string | undefined =>
  bytes === undefined ? undefined : rounded(bytes / 2 ** 20);

const columns: readonly Column[] = [
  ['workload', ({ workload }) => workload],
  ['subject', ({ subject }) => subject],
  ['p50 ms', ({ p50Ns }) => ms(p50Ns)],
  ['p95 ms', ({ p95Ns }) => ms(p95Ns)],
  ['p99 ms', ({ p99Ns }) => ms(p99Ns)],
  ['first p50 ms', ({ firstToken }) => ms(firstToken?.p50Ns)],
  ['first p95 ms', ({ firstToken }) => ms(firstToken?.p95Ns)],
  ['per second', ({ opsPerSecond }) => rounded(opsPerSecond)],
  ['MiB', ({ memoryBytes }) => inMib(memoryBytes)],
  ['price of 10⁶', ({ costPerMillion }) => shown(costPerMillion)],
  ['bars', ({ bars = [] }) => bars.map((bar) => barText(bar)).join('; ')],
];
const namesCount = 2;

export function engineTable(rows: readonly Row[], pricePerHour: number): string {
  const lines = [
    columns.map(([name]) => name),
    ...rows.map((row) => columns.map(([, cell]) => cell(row) ?? '')),
  ];
  const widths = columns.map((_, at) => Math.max(...lines.map((cells) => cells[at]?.length ?? 0)));
  const text = lines.map((cells) =>
    cells
      .map((cell, at) => {
        const isText = at < namesCount || at === columns.length - 1;
        return isText ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0);
      })
      .join('  ')
      .trimEnd(),
  );
  const notes = new Map(rows.map(({ workload, note = '' }) => [workload, note]));
  return [
    ...text,
    '',
    ...[...notes].map(([workload, note]) => `${workload}: ${note}`),
    'latencies count from when a request comes, waiting included',
    'MiB: the most that is resident in a process of its own, less what was before the model was loaded',
    `price: a machine for ${pricePerHour} an hour that does nothing else`,
    '',
  ].join('\n');
}

function rounded(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
