/** The disk tier of a pool copied elsewhere, as it was at one moment, while it changes. */

import { chunkKey } from './disk-key.ts';
import { Disk } from './disk.ts';
import type { DiskTier } from './disk-tier.ts';
import type { ReadTransaction } from './lmdb.ts';
import { decodeRecord } from './record.ts';

/** What the disk had at a moment, until `end`. */
export interface DiskMoment {
  readonly disk: Disk;
  readonly transaction: ReadTransaction;
  readonly isDoomed: (key: Uint8Array, version: number) => boolean;
  end(): void;
}

/** Holds fast what the disk has now. Under the pen of the pool it is of the same moment as its memory. */
export function diskMoment({ disk, doomed }: DiskTier): DiskMoment {
  // Journals first: what leaves one is gone from the disk by then.
  const isDoomed = doomed.moment();
  const transaction = disk.snapshot();
  return { disk, transaction, isDoomed, end: () => transaction.done() };
}

/**
 * Copies it into a new folder; it is on the disk when this resolves. @param wholeAt sequence of the superblock of the memory that is copied with it
 * @throws io_failed, what `onBytes` throws
 */
export async function copyDisk(
  { disk, transaction, isDoomed }: DiskMoment,
  folder: string,
  wholeAt: number,
  onBytes: (sizeBytes: number) => void,
): Promise<void> {
  const copy = await Disk.open(folder, Infinity, () => undefined);
  try {
    const identity = disk.identity();
    if (identity !== undefined) await copy.belongTo(identity);
    await copy.setWhole(wholeAt);
    let writing: Promise<void>[] = [];
    let waitingBytes = 0;
    for (const { key: found, value } of disk.parts.getRange({ transaction })) {
      const key = Uint8Array.from(found);
      const row = Uint8Array.from(value);
      const record = decodeRecord(key, row);
      if (record !== undefined && isDoomed(key, record.version)) continue;
      for (let number = 0; number < (record?.chunks ?? 0); number++) {
        const stowId = record?.stowId as Uint8Array;
        const chunk = disk.chunks.get(chunkKey(stowId, number), { transaction });
        // One that is missing is missed by who loads the part, as it would be here.
        if (chunk === undefined) break;
        await copy.commit(chunk.length, () => copy.putChunk(stowId, number, chunk, ''));
        onBytes(chunk.length);
      }
      writing.push(
        copy.commit(row.length, () => {
          if (record === undefined) copy.putDamaged(key, row);
          else copy.putRecord(key, record);
        }),
      );
      waitingBytes += row.length;
      onBytes(row.length);
      if (waitingBytes < waitingMaxBytes && writing.length < waitingMax) continue;
      await Promise.all(writing);
      writing = [];
      waitingBytes = 0;
    }
    await Promise.all(writing);
  } finally {
    await copy.close();
  }
}

/** Records that wait for one transaction, and their bytes. */
const waitingMax = 1024;
const waitingMaxBytes: number = 4 * 2 ** 20;
