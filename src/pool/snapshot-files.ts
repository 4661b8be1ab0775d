/** Files of snapshots: written whole, on the disk before they count, under a name that appears complete or not at all. */

import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { crc32 } from '../base/checksum.ts';
import { makeFolder } from '../base/folders.ts';
import { isRunning } from '../base/running.ts';
import { CenoteError, fail } from '../errors.ts';
import { pageBytes } from '../memory/region.ts';
import type { SnapshotOptions } from './api.ts';

export const manifestName = 'snapshot.json';
export const chunkBytes: number = 4 * 2 ** 20;
/** Between two words of progress. */
const stepBytes = 2 ** 20;
const manifestMaxBytes: number = 64 * 2 ** 20;
const folderMode = 0o700;
const fileMode = 0o600;

/** A file, and the checksum of each chunk of 4 MiB. */
export interface ListedFile {
  readonly sizeBytes: number;
  readonly chunks: readonly number[];
}

export interface Manifest {
  readonly cenoteSnapshot: 1;
  readonly poolUuid: string;
  readonly segments: readonly ListedFile[];
  /** The file of the disk tier, where the pool has one. */
  readonly disk?: ListedFile;
}

/** Progress over all bytes of a copy. */
export class Progress {
  #doneBytes = 0;
  #toldBytes = 0;
  #totalBytes: number;
  readonly #options: SnapshotOptions;

  constructor(totalBytes: number, options: SnapshotOptions) {
    this.#totalBytes = totalBytes;
    this.#options = options;
  }

  /** @throws aborted */
  add(sizeBytes: number): void {
    this.#doneBytes += sizeBytes;
    const { signal } = this.#options;
    if (signal?.aborted === true) fail('aborted', 'The copy was cancelled.', signal.reason);
    if (this.#doneBytes - this.#toldBytes >= stepBytes) this.#tell();
  }

  /** All is done, however much it was in the end. */
  end(): void {
    this.#totalBytes = this.#doneBytes;
    this.#tell();
  }

  /** What changes while it is copied is copied again: then there is more of it. */
  #tell(): void {
    this.#toldBytes = this.#doneBytes;
    this.#totalBytes = Math.max(this.#totalBytes, this.#doneBytes);
    this.#options.onProgress?.(this.#doneBytes, this.#totalBytes);
  }
}

/** Writes a sparse file from chunks that `fill` provides; returns their checksums. */
export async function writeFileInChunks(
  path: string,
  sizeBytes: number,
  fill: (from: number, chunk: Uint8Array) => Promise<void>,
  progress: Progress,
): Promise<number[]> {
  const chunks: number[] = [];
  const file = await open(path, 'wx', fileMode);
  try {
    await file.truncate(sizeBytes);
    for (let from = 0; from < sizeBytes; from += chunkBytes) {
      const chunk = new Uint8Array(Math.min(chunkBytes, sizeBytes - from));
      await fill(from, chunk);
      chunks.push(crc32(chunk));
      for (let at = 0; at < chunk.length;) at += await writePage(file, chunk, at, from);
      progress.add(chunk.length);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return chunks;
}

interface Writable {
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
}

/** Writes the stretch of pages from `at` on that are not zero, or skips those that are. @returns bytes done with */
async function writePage(
  file: Writable,
  chunk: Uint8Array,
  at: number,
  from: number,
): Promise<number> {
  const first = isZero(chunk, at);
  let end = at + pageBytes;
  while (end < chunk.length && isZero(chunk, end) === first) end += pageBytes;
  end = Math.min(end, chunk.length);
  if (!first) await writeFully(file, chunk.subarray(at, end), from + at);
  return end - at;
}

/** Writes all of it: the system may take less at a time. */
async function writeFully(file: Writable, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** A new file that is on the disk. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', fileMode);
  try {
    await writeFully(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Puts the names in a folder on the disk: without it a power loss may take files away that are there themselves. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isZero(chunk: Uint8Array, at: number): boolean {
  const page = Buffer.from(
    chunk.buffer,
    chunk.byteOffset + at,
    Math.min(pageBytes, chunk.length - at),
  );
  return page[0] === 0 && page.compare(zeroPage, 0, page.length) === 0;
}

const zeroPage: Buffer = Buffer.alloc(pageBytes);

/** The checksums of a file that is complete, and on the disk when this resolves. Chunks that hold nothing are not read. */
export async function listFile(
  path: string,
  holdsNothing: (chunk: number) => boolean = () => false,
): Promise<ListedFile> {
  const file = await open(path, 'r+');
  try {
    const { size: sizeBytes } = await file.stat();
    const chunks: number[] = [];
    for (let from = 0; from < sizeBytes; from += chunkBytes) {
      const chunk = new Uint8Array(Math.min(chunkBytes, sizeBytes - from));
      if (!holdsNothing(chunks.length)) await file.read(chunk, 0, chunk.length, from);
      chunks.push(crc32(chunk));
    }
    await file.sync();
    return { sizeBytes, chunks };
  } finally {
    await file.close();
  }
}

/** Fills a folder beside `destination`, then gives it its name. */
export async function fillFolder(
  destination: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const target = resolve(destination);
  const existing = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    return fail('io_failed', `Cannot use ${target}: ${error.message}.`, error);
  });
  if (existing !== undefined && existing.length > 0) {
    fail('invalid_argument', `${target} is not empty.`);
  }
  const partial = join(dirname(target), `.${basename(target)}.partial-${process.pid}`);
  try {
    makeFolder(dirname(target), folderMode);
    await removeAbandoned(target);
    await mkdir(partial, { mode: folderMode });
    await fill(partial);
    await syncFolder(partial);
    await rename(partial, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (error instanceof CenoteError) throw error;
    fail('io_failed', `Writing ${target} failed: ${(error as Error).message}.`, error);
  }
}

/** Removes what copies to the same place left behind when they were killed. */
async function removeAbandoned(target: string): Promise<void> {
  const prefix = `.${basename(target)}.partial-`;
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(prefix) || isRunning(Number(name.slice(prefix.length)))) continue;
    await rm(join(dirname(target), name), { recursive: true, force: true });
  }
}

export async function readManifest(source: string): Promise<Manifest> {
  const path = join(source, manifestName);
  const text = await readFile(path, 'utf8').catch((error: unknown) =>
    fail('not_a_pool', `${source} is not a snapshot: there is no readable ${manifestName}.`, error),
  );
  try {
    const manifest = JSON.parse(text.slice(0, manifestMaxBytes)) as Manifest;
    const { cenoteSnapshot, segments, disk } = manifest;
    const sound = [...segments, ...(disk === undefined ? [] : [disk])].every(
      ({ sizeBytes, chunks }) =>
        Number.isSafeInteger(sizeBytes) && chunks.length === Math.ceil(sizeBytes / chunkBytes),
    );
    if (cenoteSnapshot === 1 && segments.length > 0 && sound) return manifest;
  } catch {
    // Told below with the other faults of a manifest.
  }
  return fail('pool_corrupt', `${path} is not a manifest of this version.`);
}
