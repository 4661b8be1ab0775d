/**
 * Snapshots: a pool copied into another folder, which is a pool itself and opens as one, while its owners go on changing it. The copy is of one
 * moment (online-copy.ts). `snapshot.json` beside the segments holds the checksum of every chunk; `restorePool` verifies them all before
 * the pool appears under its name.
 */

import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from '../base/checksum.ts';
import { show } from '../base/show.ts';
import { fail, hasCode } from '../errors.ts';
import { control } from '../memory/layout.ts';
import { lockFileName, segmentPath, diskFolderName } from '../memory/pool-files.ts';
import { capacityStepBytes, maxCapacityBytes } from '../memory/geometry.ts';
import { openMappedRegion } from '../memory/mapped.ts';
import { pageBytes, type Region } from '../memory/region.ts';
import { closeStore, openStore } from '../store/open.ts';
import { withPen } from '../store/pen.ts';
import { readCell } from '../store/counters.ts';
import { freshSeed } from '../base/random.ts';
import { freshIdentity } from '../memory/identity.ts';
import type { Store } from '../store/store.ts';
import { copyDisk, diskMoment, type DiskMoment } from '../tier/disk-copy.ts';
import type { DiskTier } from '../tier/disk-tier.ts';
import type { SnapshotOptions } from './api.ts';
import { limitFor, resize, trim } from './capacity.ts';
import { copyFrozen, usedPages } from './frozen-copy.ts';
import { OnlineCopy } from './online-copy.ts';
import {
  chunkBytes,
  fillFolder,
  type ListedFile,
  listFile,
  type Manifest,
  manifestName,
  Progress,
  readManifest,
  writeFileInChunks,
  writeWhole,
} from './snapshot-files.ts';

const diskFileName = 'data.mdb';
const folderMode = 0o700;
const chunkPages: number = chunkBytes / pageBytes;

/** @throws invalid_argument */
export function checkDestination(destination: unknown): void {
  if (typeof destination === 'string' && destination !== '') return;
  fail('invalid_argument', `A snapshot goes to a folder; got ${show(destination)}.`);
}

/** Copies a pool, with its disk tier where it has one. @throws aborted, part_corrupt, pool_full, io_failed, invalid_argument: nothing is left behind */
export async function writeSnapshot(
  store: Store,
  destination: string,
  options: SnapshotOptions,
  disk?: DiskTier,
): Promise<void> {
  await fillFolder(destination, async (folder) => {
    const region = targetRegion(store.region, folder);
    const files =
      region === undefined
        ? { segments: await copyFrozen(store, folder, options) }
        : await copyOnline(store, region, folder, options, disk);
    const { poolUuid } = store.region.superblock;
    const manifest: Manifest = { cenoteSnapshot: 1, poolUuid, ...files };
    await writeWhole(join(folder, manifestName), Buffer.from(JSON.stringify(manifest)));
  });
}

/** A new pool in a folder, with room to spare; undefined where files cannot be mapped. */
function targetRegion(source: Region, folder: string): Region | undefined {
  const { capacityBytes, poolUuid, createdAtMs, ownersMax, tenantHash } = source.superblock;
  try {
    return openMappedRegion(folder, 'own', {
      ...freshIdentity(),
      poolUuid,
      createdAtMs,
      ownersMax,
      tenantHash,
      segmentBytes: 2 ** source.segmentShift,
      capacityBytes: Math.min(2 ** 37, capacityBytes + Math.max(capacityBytes / 4, 2 ** 22)),
    });
  } catch (error) {
    if (hasCode(error, 'koffi_missing') || hasCode(error, 'platform_unsupported')) return undefined;
    throw error;
  }
}

async function copyOnline(
  store: Store,
  region: Region,
  folder: string,
  options: SnapshotOptions,
  disk: DiskTier | undefined,
): Promise<Pick<Manifest, 'segments' | 'disk'>> {
  let isOpen = true;
  const close = (): void => {
    if (isOpen) region.close();
    isOpen = false;
  };
  let moment: DiskMoment | undefined;
  try {
    const target = targetStore(store, region);
    const progress = new Progress(partBytes(store) + (disk?.disk.usedBytes ?? 0), options);
    const copy = new OnlineCopy(store, target, (sizeBytes) => progress.add(sizeBytes));
    await copy.approach();
    moment = withPen(store, () => {
      copy.finish();
      return disk === undefined ? undefined : diskMoment(disk);
    });
    resize(target, capacityFor(target, store.region.superblock.capacityBytes));
    if (countOf(target) !== copy.parts) {
      fail('pool_full', `A copy of ${copy.parts} parts has room for ${countOf(target)} only.`);
    }
    trim(target);
    closeStore(target);
    const { sequence } = region.superblock;
    const used = region.segments.map((segment) => usedPages(target, segment));
    close();
    await rm(join(folder, lockFileName), { force: true });
    const segments: ListedFile[] = [];
    for (const [number, pages] of used.entries()) {
      // What is free in so large a piece was given back: it is zeros.
      const holdsNothing = (chunk: number): boolean => {
        const first = pages.indexOf(1, chunk * chunkPages);
        return first < 0 || first >= (chunk + 1) * chunkPages;
      };
      segments.push(await listFile(segmentPath(folder, number), holdsNothing));
    }
    if (moment === undefined) return finished(progress, { segments });
    const diskFolder = join(folder, diskFolderName);
    await copyDisk(moment, diskFolder, sequence, (sizeBytes) => progress.add(sizeBytes));
    await rm(join(diskFolder, 'lock.mdb'), { force: true });
    return finished(progress, { segments, disk: await listFile(join(diskFolder, diskFileName)) });
  } finally {
    moment?.end();
    close();
  }
}

/** That of the source. Of a full pool the copy may need a little more, for the tables of larger segments. */
function capacityFor(target: Store, capacityBytes: number): number {
  const { usedBytes, metadataBytes } = target.allocator.stats();
  const steps = Math.ceil((usedBytes + metadataBytes) / capacityStepBytes);
  return Math.max(capacityBytes, Math.min(steps * capacityStepBytes, maxCapacityBytes));
}

function finished<T>(progress: Progress, files: T): T {
  progress.end();
  return files;
}

function targetStore(source: Store, region: Region): Store {
  const { clock, checksums } = source.options;
  const { store } = openStore(
    region,
    { zeroKinds: 0 },
    { clock, checksums, seed: freshSeed(), eviction: 'lru', hooks: {} },
  );
  store.allocator.setLimitBytes(limitFor(store, region.superblock.capacityBytes));
  return store;
}

function partBytes(store: Store): number {
  return readCell(store.control, store.controlAt + control.partBytesLow);
}

function countOf(store: Store): number {
  return store.control[store.controlAt + control.parts] as number;
}

/**
 * Makes a pool of a snapshot, verifying every byte.
 * @throws pool_corrupt when the snapshot is damaged; not_a_pool; aborted; io_failed; invalid_argument when `destination` is in use:
 * nothing is left behind
 */
export async function restorePool(
  source: string,
  destination: string,
  options: SnapshotOptions = {},
): Promise<void> {
  const manifest = await readManifest(source);
  const { segments, disk } = manifest;
  const totalBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, disk?.sizeBytes ?? 0);
  const progress = new Progress(totalBytes, options);
  await fillFolder(destination, async (folder) => {
    for (const [number, file] of segments.entries()) {
      const what = `Segment ${number}`;
      await copyVerified(
        segmentPath(source, number),
        segmentPath(folder, number),
        file,
        progress,
        what,
      );
    }
    if (disk !== undefined) {
      await mkdir(join(folder, diskFolderName), { mode: folderMode });
      const place = join(diskFolderName, diskFileName);
      await copyVerified(join(source, place), join(folder, place), disk, progress, 'The disk tier');
    }
    progress.end();
  });
}

async function copyVerified(
  from: string,
  to: string,
  { sizeBytes, chunks }: ListedFile,
  progress: Progress,
  what: string,
): Promise<void> {
  const file = await open(from, 'r');
  try {
    const read = async (at: number, chunk: Uint8Array): Promise<void> => {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      const intact = bytesRead === chunk.length && crc32(chunk) === chunks[at / chunkBytes];
      if (!intact) fail('pool_corrupt', `${what} of the snapshot is damaged at byte ${at}.`);
    };
    await writeFileInChunks(to, sizeBytes, read, progress);
  } finally {
    await file.close();
  }
}

export function snapshotRuns(): never {
  fail('snapshot_in_progress', 'A snapshot of this pool is being written.');
}
