/** How a pool comes by its disk tier, and its memory by what is there. */

import { readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail } from '../errors.ts';
import { diskFolderName } from '../memory/pool-files.ts';
import type { Region } from '../memory/region.ts';
import type { Store } from '../store/store.ts';
import { Disk } from '../tier/disk.ts';
import { DiskTier } from '../tier/disk-tier.ts';
import { Doomed } from '../tier/doomed.ts';
import { isRunning } from '../base/running.ts';
import { rebuild } from '../tier/rebuild.ts';
import type { OpenOptions } from './api.ts';

const defaultMaxBytes: number = 64 * 2 ** 30;
/** Of the capacity, kept free. */
const defaultReserveShare = 8;
const defaultTenant = 'default';

/** A disk tier that has been opened, before the pool's memory is. */
export interface OpenedDisk {
  readonly disk: Disk;
  readonly path: string;
  readonly maxBytes: number;
  readonly step: (name: string) => void;
}

/** What is to be done before parts can be used: nothing, or bring back what the memory has lost, or only what it has in older versions. */
export type Restoring = 'nothing' | 'all' | 'stale';

/** @throws lmdb_missing, io_failed, format_unsupported */
export async function openDisk(options: OpenOptions): Promise<OpenedDisk> {
  const asked = options.tiers?.disk ?? {};
  const path = resolve(asked.path ?? join(options.path as string, diskFolderName));
  const maxBytes = asked.maxBytes ?? defaultMaxBytes;
  const step = asked.onStep ?? ((): void => undefined);
  return { disk: await Disk.open(path, maxBytes, step), path, maxBytes, step };
}

/** True when the memory of the pool is not what its last owner left: the machine has been down. */
export function isLost({ superblock, bootId }: Region): boolean {
  return superblock.rootParts !== 0 && !superblock.clean && superblock.bootId !== bootId;
}

/** True when the disk has records of this pool to make it anew from. @throws pool_corrupt when they are of another */
export function isOf(disk: Disk, region: Region): boolean {
  const identity = disk.identity();
  if (identity === undefined) return false;
  const { poolUuid } = region.superblock;
  if (identity.poolUuid === poolUuid) return true;
  return fail(
    'pool_corrupt',
    `The disk tier belongs to pool ${identity.poolUuid}, the memory to pool ${poolUuid}.`,
  );
}

/** Removes the files of a pool's memory, the first one last: without it the others are no pool. */
export function wipeMemory(path: string, step: (name: string) => void): void {
  const segments = readdirSync(path).filter((name) => /^segment-\d{4,}$/.test(name));
  for (const name of segments.sort().toReversed()) {
    rmSync(join(path, name), { force: true });
    step('rebuild:wiped');
  }
}

/** The tier over an opened store; what died with earlier owners is cleaned up, and what memory has lost is back. */
export async function attachDisk(
  store: Store,
  opened: OpenedDisk,
  restoring: Restoring,
  options: OpenOptions,
): Promise<DiskTier> {
  const { disk, path, step } = opened;
  const { poolUuid } = store.region.superblock;
  if (disk.identity() === undefined) await disk.belongTo(poolUuid);
  const sealing = { keys: options.keyProvider, tenant: options.tenant ?? defaultTenant };
  const tier = new DiskTier(store, disk, new Doomed(disk, path), sealing, step);
  await tier.doomed.takeOver(path);
  for (const { stowId, writer } of disk.pendingStows()) {
    if (!isRunning(writer)) await disk.commit(0, () => disk.abandonChunks(stowId));
  }
  store.lowerTier = tier;
  if (restoring === 'nothing') return tier;
  const reserveBytes = reserveOf(store, options);
  await rebuild(tier, {
    roomBytes: Math.max(0, roomOf(store) - reserveBytes),
    onlyStale: restoring === 'stale',
    onProgress: options.onProgress,
  });
  await disk.setRebuild(undefined);
  return tier;
}

export function reserveOf(store: Store, options: OpenOptions): number {
  const { capacityBytes } = store.region.superblock;
  return options.tiers?.disk?.reserveBytes ?? Math.floor(capacityBytes / defaultReserveShare);
}

/** What memory could take yet, segments included that are not there. */
function roomOf(store: Store): number {
  const { capacityBytes } = store.region.superblock;
  return capacityBytes - store.allocator.usedBytes - store.allocator.stats().metadataBytes;
}
