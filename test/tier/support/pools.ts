/** Pools with a disk tier. */

import type { OpenOptions, Pool } from '../../../src/pool/api.ts';
import { pool } from '../../pool/support/pools.ts';

/** A pool that moves nothing to the disk on its own. */
export function diskPool(path: string, options: OpenOptions = {}): Promise<Pool> {
  const { tiers, ...others } = options;
  return pool({ path, ...others, tiers: { disk: { reserveBytes: 0, ...tiers?.disk } } });
}

/** The bytes of a part wherever it is, its lease released. */
export async function loaded(from: Pool, id: string, part: string): Promise<Buffer | undefined> {
  const lease = await from.load(id, part);
  if (lease === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = lease.data;
  const bytes = Buffer.from(new Uint8Array(buffer, byteOffset, byteLength));
  lease.release();
  return bytes;
}

/** Makes room for so much at once that everything goes that may. */
export function evictAll(of: Pool): void {
  const { capacityBytes } = of.stats();
  const sizeBytes = Math.min(of.stats().maxPartBytes, 2 ** 20);
  for (let written = 0; written < 2 * capacityBytes; written += sizeBytes) {
    of.put('filler', `p${written}`, new Uint8Array(sizeBytes));
  }
  of.delete('filler');
}
