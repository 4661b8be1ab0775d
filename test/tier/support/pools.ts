/** Pools with a disk tier, and machines that go down. */

import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSuperblock, encodeSuperblock } from '../../../src/memory/superblock-codec.ts';
import type { OpenOptions, Pool } from '../../../src/pool/api.ts';
import { superblockAByte, superblockBByte } from '../../../src/memory/layout.ts';
import { pool } from '../../pool/support/pools.ts';

/** A pool that moves nothing to the disk on its own. */
export function diskPool(path: string, options: OpenOptions = {}): Promise<Pool> {
  const { tiers, ...others } = options;
  return pool({ path, ...others, tiers: { disk: { reserveBytes: 0, ...tiers?.disk } } });
}

/** What a folder looks like after the machine was down: the superblocks are those of another boot, of a pool that was not closed. */
export function losePower(path: string, clean = false): void {
  const file = openSync(join(path, 'segment-0000'), 'r+');
  try {
    for (const at of [superblockAByte, superblockBByte]) {
      const image = new Int32Array(64);
      const bytes = new Uint8Array(image.buffer);
      readSync(file, bytes, 0, bytes.length, at);
      const block = { ...decodeSuperblock(image), bootId: '1'.repeat(32), clean };
      writeSync(file, new Uint8Array(encodeSuperblock(block).buffer), 0, bytes.length, at);
    }
  } finally {
    closeSync(file);
  }
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
