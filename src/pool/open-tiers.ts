/** How a pool comes by its disk tier, and its memory by what is there. */

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail, hasCode } from '../errors.ts';
import { machineWasDown } from '../memory/mapped.ts';
import { diskFolderName } from '../memory/pool-files.ts';
import type { Region } from '../memory/region.ts';
import { closeStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { Disk, type DiskIdentity } from '../tier/disk.ts';
import { DiskTier } from '../tier/disk-tier.ts';
import { Doomed } from '../tier/doomed.ts';
import { rebuild } from '../tier/rebuild.ts';
import type { DiskHandle, OpenOptions } from './api.ts';
import { resizeAsAsked } from './capacity.ts';
import { shapeOf, Tiers } from './tiers.ts';

const defaultMaxBytes: number = 64 * 2 ** 30;
/** Of the capacity, kept free. */
const defaultReserveShare = 8;
const defaultTenant = 'default';

/** A disk tier that has been opened, before the pool's memory is. */
export interface OpenedDisk {
  readonly choice: DiskHandle;
  readonly disk: Disk;
  readonly step: (name: string) => void;
}

/** What is to be done before parts can be used: nothing, or bring back what the memory has lost, or only what it has in older versions. */
export type Restoring = 'nothing' | 'all' | 'stale';

/** The disk tier that a pool is opened with: as its options say, or as the handle of a pool that has it does. */
export function diskOf({ path, tiers, handle }: OpenOptions): DiskHandle | undefined {
  if (handle !== undefined) return handle?.disk;
  const asked = tiers?.disk;
  if (asked === undefined || path === undefined) return undefined;
  return {
    poolPath: path,
    diskPath: resolve(asked.path ?? join(path, diskFolderName)),
    maxBytes: asked.maxBytes ?? defaultMaxBytes,
    reserveBytes: asked.reserveBytes,
    versions: asked.versions ?? 1,
  };
}

/** Who changes parts without telling the disk tier would let deleted ones come back. @throws invalid_argument when the pool has one in its folder */
export function refuseWithoutDisk(path: string): void {
  if (!existsSync(join(path, diskFolderName))) return;
  fail(
    'invalid_argument',
    `The pool in ${path} has a disk tier: open it with tiers: { disk: {} }, or with readOnly.`,
  );
}

/** @throws key_unavailable when others seal and this owner could not, lmdb_missing, io_failed, format_unsupported */
export async function openDisk(
  choice: DiskHandle,
  { tiers, keyProvider }: OpenOptions,
): Promise<OpenedDisk> {
  if (choice.sealed === true && keyProvider === undefined) {
    fail('key_unavailable', 'This pool seals what goes to its disk: join it with a keyProvider.');
  }
  const step = tiers?.disk?.onStep ?? ((): void => undefined);
  return { choice, disk: await Disk.open(choice.diskPath, choice.maxBytes, step), step };
}

/**
 * The memory of a pool with a disk tier. What a power loss has left of it is not trusted: it is made anew, with the identity that the disk knows.
 * @throws pool_busy while another process does that
 */
export async function openRegionWithDisk(
  { choice, disk, step }: OpenedDisk,
  open: (shape: DiskIdentity | undefined) => Region,
): Promise<Region> {
  const shape = disk.identity();
  const region = disk.rebuild?.phase === 'wiping' ? undefined : openUnlessLost(open, shape, choice);
  if (region !== undefined) {
    try {
      if (!isOf(disk, region) || !isLost(region, disk)) {
        // Before anything of it is changed.
        await disk.setWhole(undefined);
        return region;
      }
    } catch (error) {
      region.close();
      throw error;
    }
    region.close();
  }
  await disk.setRebuild('wiping');
  step('rebuild:begin');
  await disk.setWhole(undefined);
  wipeMemory(choice.poolPath, step);
  return open(shape);
}

/** The memory of a pool; undefined where a power loss has left too little of it to be opened. */
function openUnlessLost(
  open: (shape: DiskIdentity | undefined) => Region,
  shape: DiskIdentity | undefined,
  { poolPath }: DiskHandle,
): Region | undefined {
  try {
    return open(shape);
  } catch (error) {
    const isLeftOver = shape !== undefined && hasCode(error, 'pool_corrupt');
    if (isLeftOver && machineWasDown(poolPath)) return undefined;
    throw error;
  }
}

/** What memory lacks of what the disk has. To be asked before the store is opened. */
export function restoringOf(region: Region, disk: Disk): Restoring {
  if (disk.identity() === undefined) return 'nothing';
  if (region.superblock.rootParts === 0 || disk.rebuild !== undefined) return 'all';
  return region.superblock.bootId === region.bootId ? 'nothing' : 'stale';
}

/**
 * True when the memory of the pool is not what its last owner left: the machine has been down, and the memory was not in its files before. (Clean alone
 * does not say so: closing in order changes pages that reach the disk in any order, or never.)
 */
function isLost({ superblock, bootId }: Region, { wholeAt }: Disk): boolean {
  const { rootParts, clean, sequence } = superblock;
  if (rootParts === 0 || superblock.bootId === bootId) return false;
  return !(clean && wholeAt === sequence);
}

/** True when the disk has records of this pool to make it anew from. @throws pool_corrupt when they are of another */
function isOf(disk: Disk, region: Region): boolean {
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
function wipeMemory(path: string, step: (name: string) => void): void {
  const segments = readdirSync(path).filter((name) => /^segment-\d{4,}$/.test(name));
  for (const name of segments.sort().toReversed()) {
    rmSync(join(path, name), { force: true });
    step('rebuild:wiped');
  }
}

/** The tiers over an opened store; what died with earlier owners is cleaned up, and what memory has lost is back. */
export async function attachDisk(
  store: Store,
  { choice, disk, step }: OpenedDisk,
  restoring: Restoring,
  options: OpenOptions,
): Promise<Tiers> {
  // Once more: whoever was closing it may have noted it just before this owner began.
  await disk.setWhole(undefined);
  await disk.belongTo(shapeOf(store.region));
  const { keyProvider: keys, tenant = choice.tenant ?? defaultTenant } = options;
  const sealing = { keys, tenant };
  const doomed = new Doomed(store, disk, choice.diskPath);
  const tier = new DiskTier(store, { disk, doomed, sealing, step, versions: choice.versions });
  store.lowerTier = tier;
  try {
    await tier.cleanUp();
    // Not before: what is evicted for it would leave older versions on the disk.
    resizeAsAsked(store, options.capacityBytes);
    await disk.belongTo(shapeOf(store.region));
    const { capacityBytes } = store.region.superblock;
    const reserveBytes = choice.reserveBytes ?? Math.floor(capacityBytes / defaultReserveShare);
    await restore(tier, restoring, reserveBytes, options);
    return new Tiers(store, tier, { ...choice, reserveBytes, sealed: keys !== undefined, tenant });
  } catch (error) {
    // As one that was open: what went by then has to go from the disk, and its journal with it.
    await new Tiers(store, tier).close(() => closeStore(store)).catch(() => undefined);
    throw error;
  }
}

/** Brings back what memory has lost, as far as it leaves the reserve. */
async function restore(
  tier: DiskTier,
  restoring: Restoring,
  reserveBytes: number,
  { onProgress }: OpenOptions,
): Promise<void> {
  if (restoring === 'nothing') return;
  if (restoring === 'all') await tier.disk.setRebuild('filling');
  const roomBytes = Math.max(0, roomOf(tier.store) - reserveBytes);
  await rebuild(tier, { roomBytes, onlyStale: restoring === 'stale', onProgress });
  await tier.disk.setRebuild(undefined);
}

/** What memory could take yet, segments included that are not there. */
function roomOf(store: Store): number {
  const { capacityBytes } = store.region.superblock;
  return capacityBytes - store.allocator.usedBytes - store.allocator.stats().metadataBytes;
}
