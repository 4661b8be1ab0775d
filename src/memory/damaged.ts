/**
 * The files of a pool that cannot be opened, for repair: whatever is there of them, mapped for reading. Nothing of it is believed, and nothing in
 * it can fault.
 */

import { constants } from 'node:fs';
import { resolve } from 'node:path';
import { CenoteError, fail } from '../errors.ts';
import { coded, errnoName, nodeFiles, readFully, withFile } from './files.ts';
import { fixedPrefixBytes, ownersMaxLimit } from './layout.ts';
import { openLockFile } from './mapped-backing.ts';
import { mapSegment, releaseSegment } from './mapping.ts';
import { osCalls } from './os.ts';
import { segmentPath } from './pool-files.ts';
import type { MappedSystem } from './pool-files.ts';
import { pageBytes } from './region.ts';
import type { Segment } from './region.ts';
import { readSegmentSize, segmentHeaderEndByte } from './segment-header.ts';
import { readSuperblock } from './superblock.ts';
import type { Superblock } from './superblock.ts';
import { superblockGuesses } from './superblock-guess.ts';

export interface DamagedPool {
  /** What the superblock says, or may have said: one, unless both copies are damaged. Empty when nothing can be made of them. */
  readonly blocks: readonly Superblock[];
  /** By number; undefined where the file is missing or empty. A segment may be shorter than it was. */
  readonly segments: readonly (Segment | undefined)[];
  /** The files of segments that are there. */
  readonly files: readonly string[];
  /** What is wrong with the files, in words. */
  readonly findings: readonly string[];
  /** Gives the memory and the lock back. */
  close(): void;
}

const segmentName = /^segment-(\d{4,})$/;

/** Takes the locks of all slots: nobody has the pool open, and nobody can open it. @throws pool_busy, io_failed */
function takeAlone(system: MappedSystem, folder: string): number {
  const lockFd = openLockFile(system, folder);
  try {
    for (let slot = 0; slot < ownersMaxLimit; slot += 1) {
      if (!coded('cannot lock the pool', () => system.os.lock(lockFd, slot)))
        fail('pool_busy', `the pool in ${folder} is in use`);
    }
    return lockFd;
  } catch (error) {
    system.files.close(lockFd);
    throw error;
  }
}

/** Runs `work` while nobody has the pool open, and nobody can open it. @throws pool_busy, io_failed */
export function whileAlone<T>(
  path: string,
  work: () => T,
  system: MappedSystem = { files: nodeFiles, os: osCalls() },
): T {
  const lockFd = takeAlone(system, resolve(path));
  try {
    return work();
  } finally {
    system.files.close(lockFd);
  }
}

/** Numbers of the segments whose files are there. */
function segmentNumbers(system: MappedSystem, folder: string): number[] {
  return system.files
    .list(folder)
    .flatMap((name) => segmentName.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function readBlocks(prefix: Int32Array, findings: string[]): readonly Superblock[] {
  try {
    return [readSuperblock(prefix)];
  } catch (error) {
    if (!(error instanceof CenoteError)) throw error;
    // What a newer version wrote is not damage.
    if (error.code === 'format_unsupported') throw error;
    findings.push(error.message);
    return superblockGuesses(prefix);
  }
}

/** Maps the whole pages that a file has. */
function openPages(
  system: MappedSystem,
  folder: string,
  number: number,
  mostBytes: number,
): Segment | undefined {
  const path = segmentPath(folder, number);
  return coded(`cannot read ${path}`, () =>
    withFile(system.files, path, constants.O_RDONLY, 0, (fd) => {
      const whole = Math.floor(system.files.status(fd).sizeBytes / pageBytes) * pageBytes;
      const sizeBytes = Math.min(whole, mostBytes);
      return sizeBytes === 0 ? undefined : mapSegment(system.os, fd, number, sizeBytes, 'private');
    }),
  );
}

function headerFault(segment: Segment, block: Superblock): string | undefined {
  if (segment.sizeBytes < segmentHeaderEndByte) return 'it ends before its header';
  try {
    const sizeBytes = readSegmentSize(segment.words, segment.number, block);
    return segment.sizeBytes < sizeBytes
      ? `${segment.sizeBytes} of ${sizeBytes} bytes are there`
      : undefined;
  } catch (error) {
    if (error instanceof CenoteError) return error.message;
    throw error;
  }
}

/**
 * Opens what is there, alone: nobody can open the pool until it is closed.
 * @throws not_a_pool when there is no segment; pool_busy; format_unsupported; io_failed, memory_unavailable
 */
export function openDamaged(
  path: string,
  system: MappedSystem = { files: nodeFiles, os: osCalls() },
): DamagedPool {
  const folder = resolve(path);
  const numbers = coded(`cannot read ${folder}`, () => listed(system, folder));
  const lockFd = takeAlone(system, folder);
  const segments: (Segment | undefined)[] = [];
  const close = (): void => {
    for (const segment of segments) if (segment !== undefined) releaseSegment(segment);
    system.files.close(lockFd);
  };
  try {
    const findings: string[] = [];
    const prefix = new Int32Array(fixedPrefixBytes >> 2);
    if (numbers[0] === 0) readWhatIsThere(system, folder, new Uint8Array(prefix.buffer));
    const blocks = readBlocks(prefix, findings);
    const mostBytes = 2 ** Math.max(...blocks.map(({ segmentShift }) => segmentShift), 0);
    for (const number of numbers) {
      const segment = openPages(system, folder, number, mostBytes);
      const fault =
        segment === undefined || blocks[0] === undefined
          ? 'there is nothing in it'
          : headerFault(segment, blocks[0]);
      if (fault !== undefined) findings.push(`segment ${number}: ${fault}`);
      segments[number] = segment;
    }
    const counted = blocks.length === 1 ? (blocks[0] as Superblock).segmentCount : numbers.length;
    for (let number = 0; number < counted; number += 1)
      if (!numbers.includes(number)) findings.push(`segment ${number} is missing`);
    const files = numbers.map((number) => segmentPath(folder, number));
    return { blocks, segments, files, findings, close };
  } catch (error) {
    close();
    throw error;
  }
}

function listed(system: MappedSystem, folder: string): number[] {
  try {
    const numbers = segmentNumbers(system, folder);
    return numbers.length > 0 ? numbers : fail('not_a_pool', `there is no pool in ${folder}`);
  } catch (error) {
    const name = errnoName(error);
    if (name === 'ENOENT' || name === 'ENOTDIR')
      fail('not_a_pool', `there is no pool in ${folder}`, error);
    throw error;
  }
}

function readWhatIsThere(system: MappedSystem, folder: string, target: Uint8Array): void {
  withFile(system.files, segmentPath(folder, 0), constants.O_RDONLY, 0, (fd) =>
    readFully(system.files, fd, target, 0),
  );
}
