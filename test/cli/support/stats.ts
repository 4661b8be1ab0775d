/** A made-up pool for pictures: figures that a pool could have. */

import type { MapCell } from '../../../src/alloc/api.ts';
import { operationNames, type OperationName, type PoolStats } from '../../../src/pool/api.ts';

const mib = 2 ** 20;

function operations(values: Partial<Record<OperationName, number>>): Record<OperationName, number> {
  return Object.fromEntries(operationNames.map((name) => [name, values[name] ?? 0])) as Record<
    OperationName,
    number
  >;
}

const kindFigures = [
  { usedBytes: 3 * mib, liveBytes: 2.4 * mib, liveBlocks: 24_012 },
  { usedBytes: 61 * mib, liveBytes: 55 * mib, liveBlocks: 12_041 },
  { usedBytes: 20 * mib, liveBytes: 19.75 * mib, liveBlocks: 5000 },
  { usedBytes: 190 * mib, liveBytes: 188 * mib, liveBlocks: 47 },
  { usedBytes: 12 * mib, liveBytes: 3 * mib, liveBlocks: 800 },
];

export function sampleStats(values: Partial<PoolStats> = {}): PoolStats {
  return {
    capacityBytes: 512 * mib,
    contexts: 12_041,
    parts: 36_123,
    pinnedParts: 41,
    retiredParts: 2,
    partBytes: 263 * mib,
    maxPartBytes: 255 * mib,
    formatVersion: 2,
    ownersAlive: 1,
    segments: 2,
    memory: {
      reservedBytes: 384 * mib,
      metadataBytes: 2 * mib,
      usedBytes: 286 * mib,
      liveBytes: 268.15 * mib,
      freeBytes: 96 * mib,
      givenBackBytes: 0,
      largestFreeRunBytes: 70.5 * mib,
      kinds: kindFigures,
      tiers: {
        l1: { runs: 900, liveBlocks: 40_000, liveBytes: 50 * mib, usedBytes: 56.25 * mib },
        l2: { runs: 1853, liveBlocks: 1853, liveBytes: 31 * mib, usedBytes: 34 * mib },
        l3: { runs: 47, liveBlocks: 47, liveBytes: 188 * mib, usedBytes: 190 * mib },
      },
      fragmentation: {
        external: 0.27,
        internal: 0.001,
        temporal: 0.06,
        kinds: kindFigures.map(() => ({ internalBytes: 1024, idleBytes: mib })),
        tiers: {
          l1: { internalBytes: 5120, idleBytes: 5 * mib },
          l2: { internalBytes: 0, idleBytes: 0 },
          l3: { internalBytes: 0, idleBytes: 0 },
        },
      },
      allocations: 1_000_000,
      frees: 958_100,
      failures: 3,
    },
    operations: operations({
      gets: 12_345_678,
      hits: 12_000_000,
      misses: 345_678,
      puts: 800_000,
      appends: 4_000_000,
      evictions: 1234,
      poolFull: 3,
      bytesWritten: 3 * 2 ** 40,
      bytesRead: 90 * 2 ** 40,
    }),
    ...values,
  };
}

export const sampleRates: Record<OperationName, number> = operations({
  gets: 1203.4,
  hits: 1200,
  misses: 3.4,
  puts: 80,
  appends: 402.5,
  bytesWritten: 312 * mib,
  bytesRead: 9.1 * 1024 * mib,
});

/** A map in stretches: allocator, slabs of several kinds in growing fill, a long extent, then free. */
export function sampleMap(cells: number): MapCell[] {
  return Array.from({ length: cells }, (_, index) => {
    const at = index / cells;
    if (at < 0.01) return { kind: -2, fill: 1 };
    if (at < 0.25) return { kind: Math.floor(at * 100) % 5, fill: (at * 7) % 1 };
    if (at < 0.75) return { kind: 3, fill: 1 };
    return { kind: -1, fill: 0 };
  });
}
