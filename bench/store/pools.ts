/** Pools as the scenarios need them. */

import { openPool, type OpenOptions, type Pool } from 'cenote';
import { join } from 'node:path';
import type { Memory } from '../harness/row.ts';

export type RegionType = 'shared' | 'mapped';
export const regionTypes: readonly RegionType[] = ['shared', 'mapped'];

/** The part that every scenario reads and writes. */
export const part = 'kv';

/** Entry, key, index and rounding to pages, generously: a benchmark of get must not evict. */
const overheadBytes = 2048;
const slackBytes = 64 * 2 ** 20;

export function capacityFor(count: number, sizeBytes: number): number {
  return Math.ceil(count * (sizeBytes * 1.05 + overheadBytes)) + slackBytes;
}

export async function openBenchPool(
  region: RegionType,
  folder: string,
  name: string,
  options: OpenOptions,
): Promise<Pool> {
  return openPool(region === 'mapped' ? { ...options, path: join(folder, name) } : options);
}

/** Puts `payload` under every id. @throws when one was evicted */
export function fill(pool: Pool, ids: readonly string[], payload: Uint8Array): void {
  for (const id of ids) pool.put(id, part, payload);
  const { parts } = pool.stats();
  if (parts !== ids.length) throw new Error(`the pool holds ${parts} of ${ids.length} parts`);
}

export function memoryOf(pool: Pool): Memory {
  const { partBytes, memory } = pool.stats();
  return {
    usableRatio: memory.liveBytes / partBytes,
    peakBytes: partBytes,
    peakReservedBytes: memory.reservedBytes,
  };
}

export function payloadOf(sizeBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i += 1) bytes[i] = (i * 31 + seed * 17) & 255;
  return bytes;
}

export function sizeName(sizeBytes: number): string {
  return sizeBytes >= 2 ** 20 ? `${sizeBytes / 2 ** 20}MiB` : `${sizeBytes / 2 ** 10}KiB`;
}
