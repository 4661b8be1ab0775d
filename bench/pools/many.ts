/** A thousand pools of 4 MiB in one process, each with a part of every kind: what one pool costs. */

import type { KindName, Pool } from 'cenote';
import { Histogram } from '../../src/base/histogram.ts';
import { type Row, toRow } from '../harness/row.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { openBenchPool, payloadOf, type RegionType } from '../store/pools.ts';
import { processState, type ProcessState } from './process.ts';

const poolBytes = 4 * 2 ** 20;
const poolCount = 1000;
const poolCountQuick = 50;
const kinds: readonly KindName[] = ['metadata', 'tokens', 'embedding', 'attention', 'blob'];
/** One of each tier of the allocator: slab, run, and again slab. */
const partBytes: readonly number[] = [64, 1024, 2048, 65_536, 4096];

export function manyPoolsScenario(region: RegionType): Scenario {
  return { name: `many-${region}`, run: (context) => runMany(region, context) };
}

async function runMany(region: RegionType, context: Context): Promise<Row[]> {
  const count = context.quick ? poolCountQuick : poolCount;
  const payloads = partBytes.map((sizeBytes) => payloadOf(sizeBytes));
  await warmUp(region, context, payloads);
  collect();
  const before = processState();
  const pools: Pool[] = [];
  const openNs = new Histogram();
  const roundsNs: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = performance.now();
    const pool = await openBenchPool(region, context.folder, `pool-${index}`, {
      capacityBytes: poolBytes,
    });
    const elapsedNs = (performance.now() - start) * 1e6;
    openNs.record(elapsedNs);
    roundsNs.push(elapsedNs);
    putEveryKind(pool, payloads);
    pools.push(pool);
  }
  collect();
  const after = processState();
  for (const pool of pools) verify(pool, payloads);
  const reservedBytes = pools[0]?.stats().memory.reservedBytes ?? 0;
  for (const pool of pools) await pool.close();
  const closed = processState();
  return [
    toRow(
      'pools',
      `many-${region}`,
      { name: 'openPool', batch: 1, roundsNs, histogram: openNs, settled: true },
      {
        note: `${count} pools of ${poolBytes} B with ${kinds.length} kinds; per pool: ${perPool(before, after, count)}, reserved ${reservedBytes} B; left open after closing all: ${closed.descriptors - before.descriptors} descriptors, ${closed.mappings - before.mappings} mappings`,
      },
    ),
  ];
}

/** Opens and closes some pools first, so that loading code is not counted as the price of a pool. */
async function warmUp(
  region: RegionType,
  context: Context,
  payloads: readonly Uint8Array[],
): Promise<void> {
  for (let index = 0; index < 5; index += 1) {
    const pool = await openBenchPool(region, context.folder, `warm-${index}`, {
      capacityBytes: poolBytes,
    });
    putEveryKind(pool, payloads);
    await pool.close();
  }
}

function putEveryKind(pool: Pool, payloads: readonly Uint8Array[]): void {
  for (const [index, kind] of kinds.entries()) {
    pool.put('context', kind, payloads[index] as Uint8Array, { kind });
  }
}

function verify(pool: Pool, payloads: readonly Uint8Array[]): void {
  for (const [index, kind] of kinds.entries()) {
    const lease = pool.get('context', kind);
    if (lease === undefined || lease.kind !== kind) throw new Error(`part ${kind} is gone`);
    if (Buffer.compare(lease.data as Uint8Array, payloads[index] as Uint8Array) !== 0) {
      throw new Error(`part ${kind} has other bytes`);
    }
    lease.release();
  }
}

function perPool(before: ProcessState, after: ProcessState, count: number): string {
  const each = (key: keyof ProcessState): string => {
    const value = (after[key] - before[key]) / count;
    return key === 'descriptors' || key === 'mappings'
      ? value.toFixed(2)
      : String(Math.round(value));
  };
  return (
    `${each('descriptors')} descriptors, ${each('mappings')} mappings, ${each('residentBytes')} B resident ` +
    `(${each('residentSharedBytes')} B of it shared memory), ${each('mappedBytes')} B address space, ${each('heapBytes')} B heap`
  );
}

/** With --expose-gc the heap figure is exact; without it holds some garbage. */
function collect(): void {
  globalThis.gc?.();
}
