import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readArgs } from '../../bench/args.ts';
import { toCsv } from '../../bench/harness/csv.ts';
import { Histogram } from '../../src/base/histogram.ts';
import { describeMachine } from '../../bench/harness/machine.ts';
import { barText, toTable, writeReport } from '../../bench/harness/report.ts';
import { type Bar, isMet, type Row, toRow } from '../../bench/harness/row.ts';
import { barChart, lineChart } from '../../src/base/svg.ts';

function rowOf(workload: string, subject: string, bars: readonly Bar[] = []): Row {
  const histogram = new Histogram();
  for (const value of [2000, 4000, 6000]) histogram.record(value);
  return toRow(
    'store',
    workload,
    { name: subject, batch: 100, roundsNs: [40, 30, 50], histogram, settled: true },
    { bars },
  );
}

describe('toRow', () => {
  it('divides the quantiles of batches and inverts the median', () => {
    const row = rowOf('get-1KiB', 'cenote-shared');
    expect(row).toMatchObject({
      suite: 'store',
      workload: 'get-1KiB',
      subject: 'cenote-shared',
      workers: 1,
      medianNs: 40,
    });
    expect(row.opsPerSecond).toBe(25_000_000);
    expect(row.p50Ns / 40).toBeCloseTo(1, 1);
    expect(row.p999Ns / 60).toBeCloseTo(1, 1);
    expect(row).not.toHaveProperty('note');
    expect(row).not.toHaveProperty('usableRatio');
  });
});

describe('bars', () => {
  const bar: Bar = { what: '× memcpy', value: 1.25, limit: 1.3, direction: 'atMost' };

  it('are met on the right side, the limit included', () => {
    expect(isMet(bar)).toBe(true);
    expect(isMet({ ...bar, value: 1.3 })).toBe(true);
    expect(isMet({ ...bar, value: 1.31 })).toBe(false);
    expect(isMet({ ...bar, direction: 'atLeast' })).toBe(false);
    expect(isMet({ ...bar, value: Number.NaN })).toBe(false);
  });

  it('are printed with their verdict', () => {
    expect(barText(bar)).toBe('1.25 × memcpy (bar ≤ 1.3: met)');
    expect(barText({ ...bar, value: 2 })).toContain('MISSED');
    expect(toTable([rowOf('put', 'cenote', [bar])])).toContain('1.25 × memcpy (bar ≤ 1.3: met)');
  });
});

describe('toCsv', () => {
  it('quotes commas, quotes and line ends, and leaves absent cells empty', () => {
    expect(
      toCsv(
        ['a', 'b'],
        [
          ['x,y', undefined],
          ['say "no"', 1 / 3],
          [true, 1_234_567_890],
        ],
      ),
    ).toBe('a,b\r\n"x,y",\r\n"say ""no""",0.333333\r\ntrue,1234567890\r\n');
  });
});

describe('charts', () => {
  it('draw bars in proportion to their values', () => {
    const svg = barChart({
      title: 'a < b',
      unit: 'ns',
      groups: [
        {
          name: 'get',
          bars: [
            { name: 'ours', value: 50 },
            { name: 'peer', value: 100 },
          ],
        },
      ],
    });
    expect(svg).toContain('a &lt; b (ns)');
    expect(svg).toContain('width="260.0"');
    expect(svg).toContain('width="520.0"');
  });

  it('draw lines on a log scale at even distances', () => {
    const svg = lineChart({
      title: 't',
      xLabel: 'x',
      yLabel: 'y',
      logY: true,
      lines: [
        {
          name: 'one',
          points: [
            [0, 1],
            [1, 10],
            [2, 100],
          ],
        },
      ],
    });
    expect(svg).toContain('points="70.0,376.0 350.0,216.0 630.0,56.0"');
  });

  it('have ticks at round numbers, or where they are given', () => {
    const axes = { title: 't', xLabel: 'x', yLabel: 'y' };
    const points: [number, number][] = [
      [1, 3],
      [7, 430],
    ];
    const ticksOf = (svg: string): string[] =>
      [...svg.matchAll(/>([\d,.]+|p50)<\/text>/g)].map(([, text]) => text as string);
    const lines = [{ name: 'one', points }];
    expect(ticksOf(lineChart({ ...axes, lines }))).toEqual([
      '0',
      '2',
      '4',
      '6',
      '0',
      '100',
      '200',
      '300',
      '400',
    ]);
    expect(ticksOf(lineChart({ ...axes, lines, logY: true, xTicks: [[1, 'p50']] }))).toEqual([
      'p50',
      '10',
      '100',
    ]);
  });

  it('draw bars of values far apart by their logarithm', () => {
    const bars = [1, 10, 100].map((value) => ({ name: String(value), value }));
    const svg = barChart({ title: 't', unit: 'ns', log: true, groups: [{ name: 'g', bars }] });
    const widths = [...svg.matchAll(/<rect x="210" .*?width="([\d.]+)"/g)].map(([, w]) =>
      Number(w),
    );
    const [one, ten, hundred] = widths as [number, number, number];
    expect(hundred).toBe(520);
    expect(one).toBeGreaterThan(0);
    expect(hundred - ten).toBeCloseTo(ten - one, 0);
  });

  it('stand up to no data at all', () => {
    expect(barChart({ title: '', unit: '', groups: [] })).not.toContain('NaN');
    expect(lineChart({ title: '', xLabel: '', yLabel: '', lines: [] })).not.toContain('NaN');
  });
});

describe('writeReport', () => {
  it('writes tables, rows, the machine and charts', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-report-'));
    try {
      const bars: Bar[] = [{ what: 'ns/op', value: 40, limit: 500, direction: 'atMost' }];
      writeReport(
        join(folder, 'new'),
        [rowOf('get-1KiB', 'ours', bars), rowOf('get-1KiB', 'lmdb')],
        describeMachine(),
      );
      expect(readdirSync(join(folder, 'new')).sort()).toEqual([
        'bars.csv',
        'machine.json',
        'rows.csv',
        'rows.json',
        'store-get-1KiB.svg',
        'store-get.svg',
      ]);
      const read = (name: string): string => readFileSync(join(folder, 'new', name), 'utf8');
      expect(read('rows.csv').split('\r\n')).toHaveLength(4);
      expect(read('bars.csv')).toContain('store,get-1KiB,ours,ns/op,40,atMost,500,true');
      expect(JSON.parse(read('rows.json'))).toHaveLength(2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('readArgs', () => {
  it('reads a suite and its options', () => {
    expect(readArgs(['store', '--quick', '--out', 'x', '--workers', '2'])).toMatchObject({
      suite: 'store',
      quick: true,
      out: 'x',
      workers: 2,
      json: false,
      help: false,
    });
  });

  it('refuses what it does not know', () => {
    expect(() => readArgs([])).toThrow('one suite');
    expect(() => readArgs(['a', 'b'])).toThrow('one suite');
    expect(() => readArgs(['store', '--workers', '0'])).toThrow('--workers');
    expect(() => readArgs(['store', '--workers', '1.5'])).toThrow('--workers');
    expect(() => readArgs(['store', '--fast'])).toThrow('--fast');
  });

  it('asks for nothing beside --help', () => {
    expect(readArgs(['--help']).help).toBe(true);
  });
});
