/** openPool of a mapped pool of 100,000 parts that was closed in order, each time in a new process: no warm machine code. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Histogram } from '../../src/base/histogram.ts';
import { type Bar, type Row, toRow } from '../harness/row.ts';
import { median } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { conversationIds } from '../store/ids.ts';
import { capacityFor, fill, openBenchPool, payloadOf } from '../store/pools.ts';
import type { OpenReport } from './open-child.ts';

const partCount = 100_000;
const partCountQuick = 10_000;
const sizeBytes = 1024;
const openings = 15;
const openingsQuick = 3;
const barNs = 50e6;
const run = promisify(execFile);

/** `memory`: where /dev/shm is; `disk`: the folder for temporary files, from the page cache. */
export function openTimeScenario(place: 'memory' | 'disk'): Scenario {
  return {
    name: `open-${place}`,
    async run(context) {
      if (place === 'memory') return runOpenTime(place, context.folder, context);
      const folder = mkdtempSync(join(tmpdir(), 'cenote-bench-'));
      try {
        return await runOpenTime(place, folder, context);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

async function runOpenTime(place: string, folder: string, context: Context): Promise<Row[]> {
  const count = context.quick ? partCountQuick : partCount;
  const ids = conversationIds(count);
  const pool = await openBenchPool('mapped', folder, 'pool', {
    capacityBytes: capacityFor(count, sizeBytes),
  });
  fill(pool, ids, payloadOf(sizeBytes));
  const closing = performance.now();
  await pool.close();
  const closeMs = performance.now() - closing;

  const child = fileURLToPath(new URL('./open-child.js', import.meta.url));
  const reports: OpenReport[] = [];
  for (let index = 0; index < (context.quick ? openingsQuick : openings); index += 1) {
    const args = [
      child,
      join(folder, 'pool'),
      String(count),
      ids[(index * 7919) % count] as string,
    ];
    const { stdout } = await run(process.execPath, args);
    reports.push(JSON.parse(stdout) as OpenReport);
  }
  const name = `open-${place}`;
  const openNs = reports.map((report) => report.openNs);
  const bars: Bar[] = [
    { what: 'ns to open', value: median(openNs), limit: barNs, direction: 'atMost' },
  ];
  return [
    rowOf(name, 'openPool', openNs, {
      bars,
      note: `${count} parts of ${sizeBytes} B, a new process each; closing took ${closeMs.toFixed(1)} ms`,
    }),
    rowOf(
      name,
      'import',
      reports.map((report) => report.importNs),
    ),
    rowOf(
      name,
      'first get',
      reports.map((report) => report.firstGetNs),
    ),
  ];
}

export function rowOf(
  workload: string,
  name: string,
  roundsNs: readonly number[],
  extras: { readonly bars?: readonly Bar[]; readonly note?: string } = {},
): Row {
  const histogram = new Histogram();
  for (const value of roundsNs) histogram.record(value);
  return toRow('pools', workload, { name, batch: 1, roundsNs, histogram, settled: true }, extras);
}
