/** Rows as a table for people, and as CSV and SVG files. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cell, toCsv } from './csv.ts';
import type { Machine } from './machine.ts';
import { type Bar, isMet, type Quantiles, type Row } from './row.ts';
import { scatter } from './stats.ts';
import type { Suite } from './suite.ts';
import { barChart, lineChart } from '../../src/base/svg.ts';

const tableHeader = ['workload', 'subject', 'ns/op', '±%', 'p50', 'p95', 'p99', 'p99.9', 'bars'];

export function toTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.workload,
    row.subject,
    figure(row.medianNs),
    (scatter(row.roundsNs) * 100).toFixed(1),
    figure(row.p50Ns),
    figure(row.p95Ns),
    figure(row.p99Ns),
    figure(row.p999Ns),
    [...(row.bars ?? []).map(barText), ...(row.note === undefined ? [] : [row.note])].join('; '),
  ]);
  const widths = tableHeader.map((name, column) =>
    Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column >= 2 && column <= 7 ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [tableHeader, ...cells].map(line).join('\n') + '\n';
}

export function barText(bar: Bar): string {
  const sign = bar.direction === 'atMost' ? '≤' : '≥';
  const verdict = isMet(bar) ? 'met' : 'MISSED';
  return `${figure(bar.value)} ${bar.what} (bar ${sign} ${bar.limit}: ${verdict})`;
}

/** Writes rows.csv, bars.csv, rows.json, machine.json and the charts into `folder`. */
export function writeReport(
  folder: string,
  rows: readonly Row[],
  machine: Machine,
  suites: readonly Pick<Suite, 'name' | 'files'>[] = [],
): string[] {
  mkdirSync(folder, { recursive: true });
  const names = [...new Set(rows.map((row) => row.suite))];
  const files: [name: string, text: string][] = [
    ['rows.csv', toCsv(rowHeader, rows.map(rowCells))],
    ['bars.csv', toCsv(barHeader, rows.flatMap(barCells))],
    ['rows.json', JSON.stringify(rows, undefined, 1) + '\n'],
    ['machine.json', JSON.stringify(machine, undefined, 1) + '\n'],
    ...names.flatMap((name) => {
      const own = rows.filter((row) => row.suite === name);
      const suite = suites.find((it) => it.name === name);
      return suite?.files?.(own) ?? charts(name, own);
    }),
  ];
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  return files.map(([name]) => join(folder, name));
}

function charts(suite: string, rows: readonly Row[]): [name: string, text: string][] {
  const workloads = [...new Set(rows.map((row) => row.workload))];
  const groups = workloads.map((name) => ({
    name,
    bars: rows
      .filter((row) => row.workload === name)
      .map((row) => ({ name: row.subject, value: row.medianNs })),
  }));
  const families = [...new Set(workloads.map((name) => name.split('-')[0] ?? name))];
  const lines = workloads.map((workload): [string, string] => [
    `${suite}-${workload}.svg`,
    lineChart({
      title: workload,
      xLabel: 'quantile',
      xTicks: quantileTicks,
      yLabel: 'ns/op',
      logY: true,
      lines: rows
        .filter((row) => row.workload === workload)
        .map((row) => quantileLine(row.subject, row)),
    }),
  ]);
  return [
    ...families.map((family): [string, string] => [
      `${suite}-${family}.svg`,
      barChart({
        title: `${suite}: ${family}`,
        unit: 'ns/op, median of rounds',
        groups: groups.filter((group) => group.name.split('-')[0] === family),
      }),
    ]),
    ...lines,
  ];
}

function nines(q: number): number {
  return -Math.log10(1 - q);
}

/** x: how many nines, so that the tail has room. */
export const quantileTicks: readonly (readonly [at: number, label: string])[] = [
  [nines(0.5), 'p50'],
  [nines(0.95), 'p95'],
  [nines(0.99), 'p99'],
  [nines(0.999), 'p99.9'],
];

export function quantileLine(
  name: string,
  { p50Ns, p95Ns, p99Ns, p999Ns }: Quantiles,
): { name: string; points: [number, number][] } {
  const values = [p50Ns, p95Ns, p99Ns, p999Ns];
  return { name, points: quantileTicks.map(([at], index) => [at, values[index] as number]) };
}

const rowHeader = [
  'suite',
  'workload',
  'subject',
  'workers',
  'opsPerSecond',
  'medianNs',
  'p50Ns',
  'p95Ns',
  'p99Ns',
  'p999Ns',
  'allocateP50Ns',
  'allocateP95Ns',
  'allocateP99Ns',
  'allocateP999Ns',
  'freeP50Ns',
  'freeP95Ns',
  'freeP99Ns',
  'freeP999Ns',
  'ratioToMimalloc',
  'usableRatio',
  'reservedRatio',
  'compactedRatio',
  'peakBytes',
  'peakReservedBytes',
  'firstTokenP50Ns',
  'firstTokenP95Ns',
  'firstTokenP99Ns',
  'firstTokenP999Ns',
  'memoryBytes',
  'costPerMillion',
  'batch',
  'note',
];

function rowCells(row: Row): Cell[] {
  return [
    row.suite,
    row.workload,
    row.subject,
    row.workers,
    row.opsPerSecond,
    row.medianNs,
    row.p50Ns,
    row.p95Ns,
    row.p99Ns,
    row.p999Ns,
    ...quantileCells(row.allocate),
    ...quantileCells(row.free),
    row.ratioToMimalloc,
    row.usableRatio,
    row.reservedRatio,
    row.compactedRatio,
    row.peakBytes,
    row.peakReservedBytes,
    ...quantileCells(row.firstToken),
    row.memoryBytes,
    row.costPerMillion,
    row.batch,
    row.note,
  ];
}

function quantileCells(quantiles: Quantiles | undefined): Cell[] {
  return [quantiles?.p50Ns, quantiles?.p95Ns, quantiles?.p99Ns, quantiles?.p999Ns];
}

const barHeader = ['suite', 'workload', 'subject', 'what', 'value', 'direction', 'limit', 'met'];

function barCells(row: Row): Cell[][] {
  return (row.bars ?? []).map((bar) => [
    row.suite,
    row.workload,
    row.subject,
    bar.what,
    bar.value,
    bar.direction,
    bar.limit,
    isMet(bar),
  ]);
}

function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}
