/**
 * Regions of memory-mapped files: shared by processes, and lasting.
 *
 * A folder (0700) holds `segment-0000`, `segment-0001` … and `owners.lock` (all 0600). Byte n of owners.lock is the lock of owner slot n, a
 * write lock of an open file description: the kernel releases it with the death of its thread or process, however it dies. One descriptor per
 * region stays open, that of the lock.
 *
 * Everything is verified by reading before it is mapped, and every file is reserved whole before it is touched: a damaged
 * pool or a full disk is a coded error, never a fault. (Whoever may write to the folder can still truncate a mapped file.)
 */

import { resolve } from 'node:path';
import { fail } from '../errors.ts';
import { BackedRegion } from './backed-region.ts';
import { settled } from './backing.ts';
import type { Membership } from './backing.ts';
import { coded, nodeFiles } from './files.ts';
import { firstSuperblock } from './first-superblock.ts';
import { defaultPatience } from './lock.ts';
import type { Patience } from './lock.ts';
import { MappedBacking, openLockFile } from './mapped-backing.ts';
import { releaseSegment } from './mapping.ts';
import { placeSegment } from './numa.ts';
import { osCalls } from './os.ts';
import { ownerFree, ownerSlot, ownerWord, takeOwnerSlot } from './owners.ts';
import {
  createPoolFile,
  folderMode,
  holdsPool,
  readPoolFile,
  readPrefix,
  ownerPid,
} from './pool-files.ts';
import type { MappedSystem } from './pool-files.ts';
import { thisBootId, thisOwner } from './process.ts';
import type { Region, RegionOptions, Segment } from './region.ts';
import { mustReadOnly } from './superblock.ts';
import type { Superblock } from './superblock.ts';
import { load } from './words.ts';

/** `own`: slot 0, which one owner has at a time. `join`: any other thread, in an owner slot of its own. `inspect`: looks on, seen by nobody. */
export type MappedMode = 'own' | 'join' | 'inspect';

const firstSlot = 0;

/** A superblock and every segment that it counts, opened. */
interface Opened {
  readonly block: Superblock;
  readonly segments: Segment[];
}

/** Reads the pool beside owners who may be at work. */
function openBeside(system: MappedSystem, folder: string, backing: MappedBacking): Opened {
  return settled(
    () => coded(`cannot read ${folder}`, () => readPoolFile(system.files, folder)),
    (block) => ({ block, segments: openSegments(backing, block) }),
  );
}

/** Maps every segment that the superblock counts; on any error none stays mapped. */
function openSegments(backing: MappedBacking, block: Superblock): Segment[] {
  const segments: Segment[] = [];
  try {
    for (let number = 0; number < block.segmentCount; number += 1)
      segments.push(backing.open(number, block));
    return segments;
  } catch (error) {
    for (const segment of segments) releaseSegment(segment);
    throw error;
  }
}

/** Runs `open` with the lock file open; closes it, and so gives the lock back, when `open` throws. */
function withLockFile(
  system: MappedSystem,
  folder: string,
  open: (lockFd: number) => Region,
): Region {
  const lockFd = openLockFile(system, folder);
  try {
    return open(lockFd);
  } catch (error) {
    system.files.close(lockFd);
    throw error;
  }
}

function prepareFolder(system: MappedSystem, folder: string): void {
  const { files } = system;
  coded(`cannot create ${folder}`, () => {
    files.makeFolder(folder, folderMode);
    if (files.status(folder).mode !== folderMode) files.setMode(folder, folderMode);
  });
}

/** How often slot 0 is found held and live before that is believed: a survivor who reclaims it holds it first, then says so. */
const busyLooks = 3;
const busyPauseMs = 1;

/** Takes the lock of slot 0. A survivor who reclaims the slot from its dead owner is waited for. */
function lockFirstSlot(
  system: MappedSystem,
  folder: string,
  lockFd: number,
  { waitMs, waiter }: Patience,
): boolean {
  const startedMs = waiter.nowMs();
  for (let look = 1; ; look += 1) {
    if (coded('cannot lock the pool', () => system.os.lock(lockFd, firstSlot))) return true;
    if (look >= busyLooks && ownerPid(system.files, folder) !== undefined) return false;
    if (!(waiter.nowMs() - startedMs < waitMs)) return false;
    waiter.pause(busyPauseMs);
  }
}

function own(
  system: MappedSystem,
  folder: string,
  options: RegionOptions | undefined,
  patience: Patience,
): Region {
  const { files } = system;
  const exists = coded(`cannot read ${folder}`, () => holdsPool(files, folder));
  let first: Superblock | undefined;
  if (!exists) {
    if (options === undefined)
      return fail('not_a_pool', `there is no pool in ${folder}, and no options to create one`);
    first = firstSuperblock(options);
    prepareFolder(system, folder);
  }
  return withLockFile(system, folder, (lockFd) => {
    if (!lockFirstSlot(system, folder, lockFd, patience)) {
      const pid = ownerPid(files, folder);
      fail(
        'pool_busy',
        `the pool in ${folder} is in use by ${pid === undefined ? 'another owner' : `process ${pid}`}`,
      );
    }
    const created = coded(`cannot create a pool in ${folder}`, () => {
      if (holdsPool(files, folder) || first === undefined) return false;
      createPoolFile(system, folder, first);
      return true;
    });
    const found = coded(`cannot read ${folder}`, () => readPoolFile(files, folder));
    const readOnly = mustReadOnly(found);
    const backing = new MappedBacking(system, folder, readOnly ? 'inspect' : 'write', lockFd);
    const { block, segments } = openBeside(system, folder, backing); // those in other slots may be at work
    if (readOnly)
      return new BackedRegion(backing, block, segments, onlooker(patience), thisBootId());
    if (created) placeSegment(segments[0] as Segment, system.os);
    const words = (segments[0] as Segment).words;
    const slotAbandoned = takeOwnerSlot(words, firstSlot, thisOwner());
    const member: Membership = { ownerSlot: firstSlot, slotAbandoned, readOnly: false, patience };
    return new BackedRegion(backing, block, segments, member, options?.bootId ?? thisBootId());
  });
}

function onlooker(patience: Patience): Membership {
  return { ownerSlot: -1, slotAbandoned: false, readOnly: true, patience };
}

/** Takes the lock of a slot, one that was given back in order if there is one. */
function lockFreeSlot(
  system: MappedSystem,
  folder: string,
  lockFd: number,
  ownersMax: number,
): number {
  const prefix = coded(`cannot read ${folder}`, () => readPrefix(system.files, folder));
  const isFree = (slot: number): boolean =>
    load(prefix, ownerWord(slot, ownerSlot.state)) === ownerFree;
  const slots = Array.from({ length: ownersMax - 1 }, (_, i) => i + 1);
  for (const slot of [...slots.filter(isFree), ...slots.filter((other) => !isFree(other))]) {
    if (coded('cannot lock an owner slot', () => system.os.lock(lockFd, slot))) return slot;
  }
  return fail('too_many_owners', `all ${ownersMax} owner slots of the pool in ${folder} are taken`);
}

function joinPool(system: MappedSystem, folder: string, patience: Patience): Region {
  const first = coded(`cannot read ${folder}`, () => readPoolFile(system.files, folder));
  const { ownersMax, roCompat } = first;
  if (mustReadOnly(first)) {
    fail(
      'format_unsupported',
      `roCompat bits 0x${roCompat.toString(16)}: the pool can be inspected, not joined`,
    );
  }
  return withLockFile(system, folder, (lockFd) => {
    const slot = lockFreeSlot(system, folder, lockFd, ownersMax);
    const backing = new MappedBacking(system, folder, 'join', lockFd);
    const { block, segments } = openBeside(system, folder, backing);
    const words = (segments[0] as Segment).words;
    const slotAbandoned = takeOwnerSlot(words, slot, thisOwner());
    const member: Membership = { ownerSlot: slot, slotAbandoned, readOnly: false, patience };
    return new BackedRegion(backing, block, segments, member, thisBootId());
  });
}

function inspect(system: MappedSystem, folder: string, patience: Patience): Region {
  const backing = new MappedBacking(system, folder, 'inspect', undefined);
  const { block, segments } = openBeside(system, folder, backing);
  return new BackedRegion(backing, block, segments, onlooker(patience), thisBootId());
}

/**
 * Opens the pool in a folder.
 *
 * - `own`: in slot 0. An absent or empty folder becomes a pool as `options` say; an existing pool keeps its own geometry and
 *   identity. A pool with unknown roCompat bits is locked, but read-only.
 * - `join`: for any thread of any process. A slot whose owner died is taken when no other is left: `slotAbandoned`.
 * - `inspect`: takes no lock and leaves no trace.
 *
 * @throws pool_busy another owner has it; too_many_owners; not_a_pool; pool_corrupt; format_unsupported; memory_unavailable the disk, the
 *   quota or the address space is full: nothing has changed but an empty folder with its lock file; io_failed; invalid_argument;
 *   koffi_missing; platform_unsupported
 */
export function openMappedRegion(
  path: string,
  mode: MappedMode,
  options?: RegionOptions,
  system: MappedSystem = { files: nodeFiles, os: osCalls() },
  patience: Patience = defaultPatience,
): Region {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    fail('invalid_argument', `path must name a folder, not ${JSON.stringify(path)}`);
  }
  const folder = resolve(path);
  if (mode === 'own') return own(system, folder, options, patience);
  if (mode === 'join') return joinPool(system, folder, patience);
  if (mode === 'inspect') return inspect(system, folder, patience);
  return fail('invalid_argument', `mode must be own, join or inspect, not ${String(mode)}`);
}

/**
 * Whether the machine has been down since the pool in a folder was last opened for writing: then its files may lack whatever had not reached the disk.
 * False where there is no pool, or nothing can be read of when that was.
 */
export function machineWasDown(
  path: string,
  system: Pick<MappedSystem, 'files'> = { files: nodeFiles },
): boolean {
  try {
    return readPoolFile(system.files, resolve(path)).bootId !== thisBootId();
  } catch {
    return false;
  }
}
