/** redis-benchmark as a load, and what it says. */

import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

import type { Load } from './load.ts';

export interface BenchmarkResult {
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const run = promisify(execFile);

export function hasRedisBenchmark(): boolean {
  return spawnSync('redis-benchmark', ['--version']).status === 0;
}

export async function runRedisBenchmark(port: number, load: Load): Promise<BenchmarkResult> {
  const { operation, sizeBytes, connections, pipeline, count } = load;
  const words = `-p ${port} -t ${operation} -d ${sizeBytes} -c ${connections} -P ${pipeline} -n ${count} --csv`;
  const { stdout } = await run('redis-benchmark', words.split(' '));
  return parseBenchmark(stdout);
}

/** The last line of its CSV: "test","rps","avg","min","p50","p95","p99","max", times in milliseconds. @throws Error */
export function parseBenchmark(csv: string): BenchmarkResult {
  const line = csv.trim().split('\n').at(-1) ?? '';
  const cells = line.split(',').map((cell) => Number(cell.replaceAll('"', '')));
  const [, opsPerSecond, , , p50Ms, p95Ms, p99Ms, maxMs] = cells;
  if (cells.length !== 8 || opsPerSecond === undefined || !(opsPerSecond > 0)) {
    throw new Error(`redis-benchmark says ${JSON.stringify(csv)}`);
  }
  return {
    opsPerSecond,
    p50Ms: p50Ms as number,
    p95Ms: p95Ms as number,
    p99Ms: p99Ms as number,
    maxMs: maxMs as number,
  };
}
