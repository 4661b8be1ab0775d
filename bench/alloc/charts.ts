/** Charts and tables of the suite `alloc`, beside those of every suite. */

import { toCsv } from '../harness/csv.ts';
import { quantileLine, quantileTicks } from '../harness/report.ts';
import type { Row, Sample } from '../harness/row.ts';
import { barChart, lineChart } from '../../src/base/svg.ts';
import { oursName } from './names.ts';
import { houseWorkloads } from './workloads.ts';

type File = [name: string, text: string];

/** Beyond this ratio of the longest bar to the shortest, lengths go by the logarithm. */
const linearRatioMax = 20;

const holes = 'free-holes-';

export function allocFiles(rows: readonly Row[]): File[] {
  const timed = rows.filter(({ workload }) => !workload.startsWith(holes));
  const workloads = [...new Set(rows.map((row) => row.workload))];
  return [
    ...familyCharts(timed),
    ...ratioChart(rows),
    ...holesChart(rows),
    ...workloads.flatMap((workload) => workloadCharts(workload, rowsOf(rows, workload))),
    ...memoryTable(rows),
  ];
}

function rowsOf(rows: readonly Row[], workload: string): Row[] {
  return rows.filter((row) => row.workload === workload);
}

/** A house workload with its shapes, or what has the same name up to a number. */
function familyOf(workload: string): string {
  const house = houseWorkloads.find(({ name }) => workload.startsWith(name));
  return house?.name ?? workload.replace(/-(\d+|mixed)$/, '');
}

/** Time per operation: a chart per family. */
function familyCharts(rows: readonly Row[]): File[] {
  return [...new Set(rows.map(({ workload }) => familyOf(workload)))].map((family): File => {
    const own = rows.filter(({ workload }) => familyOf(workload) === family);
    const values = own.map(({ medianNs }) => medianNs);
    const groups = [...new Set(own.map(({ workload }) => workload))].map((name) => ({
      name,
      bars: rowsOf(own, name).map((row) => ({ name: row.subject, value: row.medianNs })),
    }));
    const log = Math.max(...values) > linearRatioMax * Math.min(...values);
    const unit = 'ns/op, median of rounds';
    return [`alloc-${family}.svg`, barChart({ title: `alloc: ${family}`, unit, groups, log })];
  });
}

/** Ours beside mimalloc, all workloads on one page. */
function ratioChart(rows: readonly Row[]): File[] {
  const groups = rows.flatMap(({ subject, workload, ratioToMimalloc }) =>
    subject === oursName && ratioToMimalloc !== undefined
      ? [
          {
            name: workload,
            bars: [
              { name: oursName, value: ratioToMimalloc },
              { name: 'mimalloc', value: 1 },
            ],
          },
        ]
      : [],
  );
  if (groups.length === 0) return [];
  const title = 'alloc: time per operation over that of mimalloc';
  return [['alloc-ratios.svg', barChart({ title, unit: 'less is better', groups })]];
}

function holesChart(rows: readonly Row[]): File[] {
  const own = rows.filter(({ workload }) => workload.startsWith(holes));
  if (own.length === 0) return [];
  const countOf = ({ workload }: Row): number => Number(workload.slice(holes.length));
  const counts = [...new Set(own.map(countOf))];
  const lines = [...new Set(own.map(({ subject }) => subject))].map((name) => ({
    name,
    points: own
      .filter(({ subject }) => subject === name)
      .map((row): [number, number] => [countOf(row), row.medianNs]),
  }));
  const chart = {
    title: 'alloc: 4 MiB allocated and freed among free holes',
    xLabel: 'holes',
    yLabel: 'ns for both',
    logX: true,
    xTicks: counts.map((count): [number, string] => [count, count.toLocaleString('en-US')]),
    lines,
  };
  return [['alloc-free-holes.svg', lineChart(chart)]];
}

function workloadCharts(workload: string, rows: readonly Row[]): File[] {
  const files: File[] = [];
  const quantiles = (what: 'allocate' | 'free'): void => {
    const lines = rows.flatMap((row) => {
      const value = row[what];
      return value === undefined ? [] : [quantileLine(row.subject, value)];
    });
    if (lines.length === 0) return;
    const title = `${workload}: ${what}, quantiles of batches of 64`;
    const axes = { xLabel: 'quantile', yLabel: 'ns/op', xTicks: quantileTicks, logY: true };
    files.push([`alloc-${workload}-${what}.svg`, lineChart({ title, ...axes, lines })]);
  };
  quantiles('allocate');
  quantiles('free');
  const lines = rows.flatMap(({ subject, samples = [] }) => {
    const points = samples.filter(({ usableBytes }) => usableBytes > 0).map(reservedPoint);
    return points.length === 0 ? [] : [{ name: subject, points }];
  });
  if (lines.length > 0) {
    const title = `${workload}: reserved bytes over live bytes`;
    const axes = { xLabel: 'operations', yLabel: 'reserved / live' };
    files.push([`alloc-${workload}-memory.svg`, lineChart({ title, ...axes, lines })]);
  }
  return files;
}

function reservedPoint({ operations, reservedBytes, usableBytes }: Sample): [number, number] {
  return [operations, reservedBytes / usableBytes];
}

function memoryTable(rows: readonly Row[]): File[] {
  const header = [
    'workload',
    'subject',
    'operations',
    'requestedBytes',
    'usableBytes',
    'reservedBytes',
  ];
  const cells = rows.flatMap(({ workload, subject, samples = [] }) =>
    samples.map((it) => [
      workload,
      subject,
      it.operations,
      it.requestedBytes,
      it.usableBytes,
      it.reservedBytes,
    ]),
  );
  return cells.length === 0 ? [] : [['memory.csv', toCsv(header, cells)]];
}
