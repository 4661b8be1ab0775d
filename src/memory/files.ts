/** Files of a mapped region: the calls (injected, so that tests can make any of them fail) and what their errors mean. */

import * as fs from 'node:fs';
import { makeFolder } from '../base/folders.ts';
import { CenoteError, fail } from '../errors.ts';
import type { OsCalls } from './os.ts';

export interface FileStatus {
  readonly sizeBytes: number;
  /** Bytes that the file system has allocated; less than the size when there are holes. */
  readonly allocatedBytes: number;
  /** Identity of the file itself, whatever its name. */
  readonly id: string;
  readonly mode: number;
}

export interface Files {
  open(path: string, flags: number, mode?: number): number;
  close(fd: number): void;
  /** Reads up to `target.length` bytes at `position`. @returns bytes read */
  read(fd: number, target: Uint8Array, position: number): number;
  write(fd: number, source: Uint8Array, position: number): number;
  sync(fd: number): void;
  status(file: number | string): FileStatus;
  list(path: string): string[];
  makeFolder(path: string, mode: number): void;
  setMode(path: string, mode: number): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
}

const diskBlockBytes = 512;

export const nodeFiles: Files = {
  open: (path, flags, mode) => fs.openSync(path, flags, mode),
  close: (fd) => fs.closeSync(fd),
  read: (fd, target, position) => fs.readSync(fd, target, 0, target.length, position),
  write: (fd, source, position) => fs.writeSync(fd, source, 0, source.length, position),
  sync: (fd) => fs.fsyncSync(fd),
  status(file) {
    const stat = typeof file === 'number' ? fs.fstatSync(file) : fs.statSync(file);
    return {
      sizeBytes: stat.size,
      allocatedBytes: stat.blocks * diskBlockBytes,
      id: `${stat.dev}:${stat.ino}`,
      mode: stat.mode & 0o777,
    };
  },
  list: (path) => fs.readdirSync(path),
  makeFolder,
  setMode: (path, mode) => fs.chmodSync(path, mode),
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.unlinkSync(path),
};

const exhausted: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'ENOMEM', 'EFBIG']);

export function errnoName(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Whether a call failed because memory, disk, quota, or room for mappings has run out. */
export function isExhausted(error: unknown): boolean {
  return exhausted.has(errnoName(error));
}

/** Runs file calls; their errors leave with a code of Cenote's. @throws memory_unavailable, io_failed */
export function coded<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const name = errnoName(error);
    if (error instanceof CenoteError || typeof name !== 'string') throw error;
    return fail(
      exhausted.has(name) ? 'memory_unavailable' : 'io_failed',
      `${what}: ${name}`,
      error,
    );
  }
}

/** Removes a file if it is there. */
export function removeIfThere(files: Files, path: string): void {
  try {
    files.remove(path);
  } catch (error) {
    if (errnoName(error) !== 'ENOENT') throw error;
  }
}

/** Removes what a failed creation has left, if it can: the error that failed it matters more, and the next creation starts over. */
export function removeQuietly(files: Files, path: string): void {
  try {
    files.remove(path);
  } catch {}
}

/** Opens a file for as long as `use` runs. */
export function withFile<T>(
  files: Files,
  path: string,
  flags: number,
  mode: number,
  use: (fd: number) => T,
): T {
  const fd = files.open(path, flags, mode);
  try {
    return use(fd);
  } finally {
    files.close(fd);
  }
}

/** Fills `target` from `position`. @returns false when the file ends before */
export function readFully(files: Files, fd: number, target: Uint8Array, position: number): boolean {
  let done = 0;
  while (done < target.length) {
    const bytes = files.read(fd, target.subarray(done), position + done);
    if (bytes === 0) return false;
    done += bytes;
  }
  return true;
}

export function writeFully(files: Files, fd: number, source: Uint8Array, position: number): void {
  let done = 0;
  while (done < source.length) done += files.write(fd, source.subarray(done), position + done);
}

const zerosBytes = 2 ** 20;

/**
 * Reserves a part of a file that holds nothing, so that touching its mapping can never fail. File systems that cannot allocate ahead get
 * zeros written (a file system that compresses or copies on write may still run out later: stated in the README).
 */
export function reserveEmpty(
  { files, os }: { readonly files: Files; readonly os: OsCalls },
  fd: number,
  fromByte: number,
  sizeBytes: number,
): void {
  try {
    os.allocate(fd, sizeBytes, fromByte);
  } catch (error) {
    const name = errnoName(error);
    if (name !== 'EOPNOTSUPP' && name !== 'ENOTSUP' && name !== 'EINVAL' && name !== 'ENOSYS')
      throw error;
    const zeros = new Uint8Array(Math.min(zerosBytes, sizeBytes));
    for (let position = 0; position < sizeBytes; position += zeros.length) {
      writeFully(
        files,
        fd,
        zeros.subarray(0, Math.min(zeros.length, sizeBytes - position)),
        fromByte + position,
      );
    }
  }
}
