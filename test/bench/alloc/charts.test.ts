import { describe, expect, it } from 'vitest';
import { allocFiles } from '../../../bench/alloc/charts.ts';
import { playOf } from '../../../bench/alloc/house-scenario.ts';
import { emptyPlay } from '../../../bench/alloc/player.ts';
import { toAllocRow } from '../../../bench/alloc/rows.ts';
import type { Played } from '../../../bench/alloc/turns.ts';
import { houseWorkloads } from '../../../bench/alloc/workloads.ts';
import type { Row } from '../../../bench/harness/row.ts';

function played(name: string, ns: number): Played {
  return { name, roundsNs: [ns], operations: 1000, failures: 0, filled: true, settled: true };
}

const [small] = houseWorkloads as [(typeof houseWorkloads)[number]];
const both = [played('cenote', 12), played('mimalloc', 10)];

function houseRows(): Row[] {
  const play = playOf(small, 'steady', 1);
  const latency = { batch: 64, allocate: [[600]], free: [[500]] };
  const samples = [{ operations: 1000, requestedBytes: 90, usableBytes: 100, reservedBytes: 150 }];
  const memory = { samples, how: 'counted', failures: 0 };
  return both.map((one) =>
    toAllocRow({ workload: small.name, play, one, played: both, latency, memory, bars: [] }),
  );
}

function holesRows(slots: number): Row[] {
  const play = { ...emptyPlay, program: 'holes', workers: 1, slots };
  const workload = `free-holes-${slots}`;
  return both.map((one) => toAllocRow({ workload, play, one, played: both, bars: [] }));
}

describe('allocFiles', () => {
  const rows = [...houseRows(), ...holesRows(4096), ...holesRows(16_384)];
  const files = new Map(allocFiles(rows));

  it('draws times, ratios, quantiles and memory, each once', () => {
    expect([...files.keys()].sort()).toEqual([
      'alloc-free-holes.svg',
      'alloc-ratios.svg',
      'alloc-rl_small-allocate.svg',
      'alloc-rl_small-free.svg',
      'alloc-rl_small-memory.svg',
      'alloc-rl_small.svg',
      'memory.csv',
    ]);
    expect(allocFiles(rows)).toHaveLength(files.size);
  });

  it('names holes, quantiles and subjects', () => {
    expect(files.get('alloc-free-holes.svg')).toContain('>16,384<');
    expect(files.get('alloc-rl_small-free.svg')).toContain('>p99.9<');
    expect(files.get('alloc-ratios.svg')).toContain('>1.2<');
    expect(files.get('memory.csv')).toContain('rl_small,cenote,1000,90,100,150');
  });

  it('draws nothing of nothing', () => {
    expect(allocFiles([])).toEqual([]);
  });
});
