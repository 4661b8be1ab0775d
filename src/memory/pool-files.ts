/** The files of a mapped region: their names, how one comes to be, and how it is opened and verified. */

import { constants } from 'node:fs';
import { join } from 'node:path';
import { CenoteError, fail } from '../errors.ts';
import { firstSegmentBytes } from './first-superblock.ts';
import {
  errnoName,
  isExhausted,
  readFully,
  removeIfThere,
  removeQuietly,
  reserveEmpty,
  withFile,
  writeFully,
} from './files.ts';
import type { Files } from './files.ts';
import type { Range } from './backing.ts';
import { reserveHuge } from './huge-pages.ts';
import { fixedPrefixBytes } from './layout.ts';
import { mapSegment } from './mapping.ts';
import type { OsCalls } from './os.ts';
import { ownerLive, ownerSlot, ownerWord } from './owners.ts';
import type { Segment } from './region.ts';
import { readSegmentSize, segmentHeaderEndByte, writeSegmentHeader } from './segment-header.ts';
import { readSuperblock, writeSuperblock } from './superblock.ts';
import type { Superblock } from './superblock.ts';
import { load } from './words.ts';

/** Where file and system calls go; tests make any of them fail. */
export interface MappedSystem {
  readonly files: Files;
  readonly os: OsCalls;
}

export const folderMode = 0o700;
export const fileMode = 0o600;
export const lockFileName = 'owners.lock';

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = constants;

export function segmentPath(folder: string, number: number): string {
  return join(folder, `segment-${String(number).padStart(4, '0')}`);
}

/** Segment 0 under construction: it gets its name when it is complete, so that a segment 0 without a superblock is always damage. */
function unfinishedPath(folder: string): string {
  return `${segmentPath(folder, 0)}.new`;
}

/** Where a pool's disk tier is, unless it is told otherwise: it may be there before the pool is. */
export const diskFolderName = 'disk';

function isOurs(folder: string, name: string): boolean {
  const isLock = name === lockFileName || name === diskFolderName;
  return isLock || join(folder, name) === unfinishedPath(folder);
}

/**
 * Whether the folder holds a pool.
 * @throws not_a_pool there are other files; pool_corrupt the first segment is missing
 */
export function holdsPool(files: Files, folder: string): boolean {
  let names: string[];
  try {
    names = files.list(folder);
  } catch (error) {
    if (errnoName(error) === 'ENOENT') return false;
    if (errnoName(error) === 'ENOTDIR')
      return fail('not_a_pool', `${folder} is not a folder`, error);
    throw error;
  }
  if (names.some((name) => join(folder, name) === segmentPath(folder, 0))) return true;
  const segment = names.find((name) => /^segment-\d{4,}$/.test(name));
  if (segment !== undefined) fail('pool_corrupt', `${folder} has ${segment}, but no segment-0000`);
  const foreign = names.find((name) => !isOurs(folder, name));
  if (foreign !== undefined) fail('not_a_pool', `${folder} holds ${foreign}, but no pool`);
  return false;
}

/** The fixed prefix of segment 0 as the file has it. @throws not_a_pool, pool_corrupt */
export function readPrefix(files: Files, folder: string): Int32Array {
  const prefix = new Int32Array(fixedPrefixBytes >> 2);
  const bytes = new Uint8Array(prefix.buffer);
  try {
    const whole = withFile(files, segmentPath(folder, 0), O_RDONLY, 0, (fd) =>
      readFully(files, fd, bytes, 0),
    );
    if (!whole)
      fail('pool_corrupt', `segment-0000 in ${folder} is shorter than ${fixedPrefixBytes} bytes`);
  } catch (error) {
    const name = errnoName(error);
    if (name === 'ENOENT' || name === 'ENOTDIR')
      fail('not_a_pool', `there is no pool in ${folder}`, error);
    throw error;
  }
  return prefix;
}

/** A commit may pass by while the file is read; that it does so twice more is damage. */
const readAttempts = 3;

/** The validated superblock of the file, before anything is mapped. @throws not_a_pool, pool_corrupt, format_unsupported */
export function readPoolFile(files: Files, folder: string): Superblock {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return readSuperblock(readPrefix(files, folder));
    } catch (error) {
      const damaged =
        error instanceof CenoteError &&
        (error.code === 'pool_corrupt' || error.code === 'not_a_pool');
      if (!damaged || attempt === readAttempts) throw error;
    }
  }
}

/** Pid of the owner of slot 0; undefined when there is none to be read. */
export function ownerPid(files: Files, folder: string): number | undefined {
  try {
    const prefix = readPrefix(files, folder);
    const live = load(prefix, ownerWord(0, ownerSlot.state)) === ownerLive;
    return live ? load(prefix, ownerWord(0, ownerSlot.pid)) : undefined;
  } catch {
    return undefined; // the pool may be half made: there is no writer to name then
  }
}

/** Makes a new file of that size, reserved whole; `use` gets it open. On any error it is removed again. */
function makeFile<T>(
  system: MappedSystem,
  path: string,
  sizeBytes: number,
  use: (fd: number) => T,
): T {
  const { files } = system;
  removeIfThere(files, path);
  try {
    return withFile(files, path, O_RDWR | O_CREAT | O_EXCL, fileMode, (fd) => {
      reserveHuge(system, fd, sizeBytes);
      reserveEmpty(system, fd, 0, sizeBytes);
      return use(fd);
    });
  } catch (error) {
    removeQuietly(files, path);
    throw error;
  }
}

/** Creates segment 0 with its header and superblock. Until it has its name, there is no pool. */
export function createPoolFile(system: MappedSystem, folder: string, block: Superblock): void {
  const { files } = system;
  const prefix = new Int32Array(fixedPrefixBytes >> 2);
  const sizeBytes = firstSegmentBytes(block);
  writeSegmentHeader(prefix, 0, sizeBytes, block.poolUuid);
  writeSuperblock(prefix, block);
  makeFile(system, unfinishedPath(folder), sizeBytes, (fd) => {
    writeFully(files, fd, new Uint8Array(prefix.buffer), 0);
    files.sync(fd);
    files.rename(unfinishedPath(folder), segmentPath(folder, 0));
  });
  // Segments that come later are never there without it, also after a power loss.
  withFile(files, folder, O_RDONLY, 0, (fd) => files.sync(fd));
}

/** A mapped segment, and the identity of its file: a dropped and added one has the same name. */
export interface OpenedSegment {
  readonly segment: Segment;
  readonly id: string;
}

/** A new segment, all zero, in place of whatever uncounted file a crash has left. */
export function createSegmentFile(
  system: MappedSystem,
  folder: string,
  number: number,
  sizeBytes: number,
): OpenedSegment {
  const path = segmentPath(folder, number);
  return makeFile(system, path, sizeBytes, (fd) => {
    const { id } = system.files.status(fd);
    return { segment: mapSegment(system.os, fd, number, sizeBytes, 'shared'), id };
  });
}

/** How a segment is opened: `write` also fills holes, `join` maps what is there, `inspect` writes to nobody. */
export type SegmentAccess = 'write' | 'join' | 'inspect';

/**
 * Opens and maps a segment that the superblock counts, verified first: a file that is shorter than its header says would fault.
 * @throws pool_corrupt; memory_unavailable when the file has holes that cannot be filled
 */
export function openSegmentFile(
  system: MappedSystem,
  folder: string,
  number: number,
  pool: Superblock,
  access: SegmentAccess,
): OpenedSegment {
  const { files, os } = system;
  const path = segmentPath(folder, number);
  const prefix = new Int32Array(segmentHeaderEndByte >> 2);
  const open = (fd: number): OpenedSegment => {
    const status = files.status(fd);
    if (!readFully(files, fd, new Uint8Array(prefix.buffer), 0))
      fail('pool_corrupt', `${path} has no room for a segment header`);
    const sizeBytes = readSegmentSize(prefix, number, pool);
    if (status.sizeBytes !== sizeBytes)
      fail('pool_corrupt', `${path} has ${status.sizeBytes} bytes, its header says ${sizeBytes}`);
    // A copy made with holes: on a full disk, touching one would fault.
    if (access === 'write' && status.allocatedBytes < sizeBytes) fillHoles(os, fd, sizeBytes);
    return {
      segment: mapSegment(os, fd, number, sizeBytes, access === 'inspect' ? 'private' : 'shared'),
      id: status.id,
    };
  };
  try {
    return withFile(files, path, access === 'inspect' ? O_RDONLY : O_RDWR, 0, open);
  } catch (error) {
    if (errnoName(error) === 'ENOENT') fail('pool_corrupt', `${path} is missing`, error);
    throw error;
  }
}

/**
 * Runs `use` with the file of a segment open. @returns undefined when the file is another by now, or none
 */
function withSegmentFile<T>(
  { files }: MappedSystem,
  path: string,
  id: string | undefined,
  use: (fd: number) => T,
): T | undefined {
  try {
    return withFile(files, path, O_RDWR, 0, (fd) =>
      files.status(fd).id === id ? use(fd) : undefined,
    );
  } catch (error) {
    if (errnoName(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Gives the disk or memory of a part of a segment's file back. @returns how much, as the file system counts */
export function punchSegmentFile(
  system: MappedSystem,
  path: string,
  id: string | undefined,
  range: Range,
): number {
  const given = withSegmentFile(system, path, id, (fd) => {
    const before = system.files.status(fd).allocatedBytes;
    if (!system.os.punch(fd, range.fromByte, range.sizeBytes)) return 0;
    return before - system.files.status(fd).allocatedBytes;
  });
  return Math.max(given ?? 0, 0); // another owner may have taken pages meanwhile
}

/** Reserves a part of a segment's file again. @returns false when there is no room, or the file is another by now */
export function refillSegmentFile(
  system: MappedSystem,
  path: string,
  id: string | undefined,
  range: Range,
): boolean {
  try {
    const filled = withSegmentFile(system, path, id, (fd) => {
      reserveEmpty(system, fd, range.fromByte, range.sizeBytes);
      return true;
    });
    return filled === true;
  } catch (error) {
    if (isExhausted(error)) return false;
    throw error;
  }
}

function fillHoles(os: OsCalls, fd: number, sizeBytes: number): void {
  try {
    os.allocate(fd, sizeBytes);
  } catch (error) {
    // File systems that cannot allocate ahead also count blocks in their own way: there is nothing to fill.
    const name = errnoName(error);
    if (name !== 'EOPNOTSUPP' && name !== 'EINVAL') throw error;
  }
}
