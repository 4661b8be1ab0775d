/**
 * Snapshots: the pool's segments copied into another folder, which is a pool itself and opens as one.
 *
 * Only pages in use are copied (free ones may hold what was deleted), so the files are sparse. The copy is marked as not closed in
 * order: whoever opens it recovers, which drops leases and drafts, and verifies each part at its first get. `snapshot.json` beside
 * the segments holds the checksum of every chunk; `restorePool` verifies them all before the pool appears under its name.
 */

import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { segmentLayout } from '../alloc/layout.ts';
import { crc32 } from '../base/checksum.ts';
import { makeFolder } from '../base/folders.ts';
import { CenoteError, fail } from '../errors.ts';
import { segmentPath } from '../memory/pool-files.ts';
import { granuleShift, pageBytes, type Segment } from '../memory/region.ts';
import type { Store } from '../store/store.ts';
import type { SnapshotOptions } from './api.ts';

const manifestName = 'snapshot.json';
const chunkBytes: number = 4 * 2 ** 20;
const manifestMaxBytes: number = 64 * 2 ** 20;
const folderMode = 0o700;
const fileMode = 0o600;

interface Manifest {
  readonly cenoteSnapshot: 1;
  readonly poolUuid: string;
  readonly segments: readonly {
    readonly sizeBytes: number;
    /** Checksum of each chunk of 4 MiB. */
    readonly chunks: readonly number[];
  }[];
}

/** Progress over all chunks of a copy. */
class Progress {
  #doneBytes = 0;
  readonly #totalBytes: number;
  readonly #options: SnapshotOptions;

  constructor(totalBytes: number, options: SnapshotOptions) {
    this.#totalBytes = totalBytes;
    this.#options = options;
  }

  /** @throws aborted */
  add(sizeBytes: number): void {
    this.#doneBytes += sizeBytes;
    this.#options.onProgress?.(this.#doneBytes, this.#totalBytes);
    const { signal } = this.#options;
    if (signal?.aborted === true) fail('aborted', 'The copy was cancelled.', signal.reason);
  }
}

/**
 * Keeps all owners from changing the pool, this one included: nobody has the pen, and no run of pages is made or ended. What they still do, in
 * their own slabs, is undone by the recovery of the copy.
 * @returns what ends it @throws pool_busy
 */
export function freeze({ allocator, pen }: Store): () => void {
  pen.withhold();
  try {
    const thaw = allocator.freeze();
    return () => {
      thaw();
      pen.give();
    };
  } catch (error) {
    pen.give();
    throw error;
  }
}

/** Copies a pool that is frozen. @throws aborted, io_failed, invalid_argument: nothing is left behind */
export async function writeSnapshot(
  store: Store,
  destination: string,
  options: SnapshotOptions,
): Promise<void> {
  const { segments, superblock } = store.region;
  const progress = new Progress(total(segments.map(({ sizeBytes }) => sizeBytes)), options);
  await fillFolder(destination, async (folder) => {
    const written: Manifest['segments'][number][] = [];
    for (const segment of segments) {
      const used = usedPages(store, segment);
      const chunks = await writeFileInChunks(
        segmentPath(folder, segment.number),
        segment.sizeBytes,
        async (from, chunk) => copyUsed(segment, used, from, chunk),
        progress,
      );
      written.push({ sizeBytes: segment.sizeBytes, chunks });
    }
    const manifest: Manifest = {
      cenoteSnapshot: 1,
      poolUuid: superblock.poolUuid,
      segments: written,
    };
    await writeWhole(join(folder, manifestName), Buffer.from(JSON.stringify(manifest)));
  });
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
  const progress = new Progress(
    total(manifest.segments.map(({ sizeBytes }) => sizeBytes)),
    options,
  );
  await fillFolder(destination, async (folder) => {
    for (const [number, { sizeBytes, chunks }] of manifest.segments.entries()) {
      const file = await open(segmentPath(source, number), 'r');
      try {
        const read = async (from: number, chunk: Uint8Array): Promise<void> => {
          const { bytesRead } = await file.read(chunk, 0, chunk.length, from);
          const intact = bytesRead === chunk.length && crc32(chunk) === chunks[from / chunkBytes];
          if (!intact)
            fail('pool_corrupt', `Segment ${number} of the snapshot is damaged at byte ${from}.`);
        };
        await writeFileInChunks(segmentPath(folder, number), sizeBytes, read, progress);
      } finally {
        await file.close();
      }
    }
  });
}

/** Writes a sparse file from chunks that `fill` provides; returns their checksums. */
async function writeFileInChunks(
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
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
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

/** One byte per page: the segment's metadata, and what live allocations touch. */
function usedPages(store: Store, segment: Segment): Uint8Array {
  const { segmentShift, slabShift } = store.region;
  const layout = segmentLayout(segment.sizeBytes, slabShift);
  const used = new Uint8Array(layout.pages).fill(1, 0, layout.dataPage);
  const refShift = segmentShift - granuleShift;
  store.allocator.walk((block) => {
    if (!block.live || block.ref >>> refShift !== segment.number) return;
    const byte = (block.ref & ((1 << refShift) - 1)) << granuleShift;
    used.fill(1, Math.floor(byte / pageBytes), Math.ceil((byte + block.sizeBytes) / pageBytes));
  });
  return used;
}

function copyUsed(segment: Segment, used: Uint8Array, from: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; at += pageBytes) {
    if (used[(from + at) / pageBytes] !== 1) continue;
    chunk.set(segment.bytes.subarray(from + at, from + Math.min(at + pageBytes, chunk.length)), at);
  }
}

/** Fills a folder beside `destination`, then gives it its name. */
async function fillFolder(
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
    if (!name.startsWith(prefix) || isAlive(Number(name.slice(prefix.length)))) continue;
    await rm(join(dirname(target), name), { recursive: true, force: true });
  }
}

/** True unless the system knows no such process. */
function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid < 1) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function readManifest(source: string): Promise<Manifest> {
  const path = join(source, manifestName);
  const text = await readFile(path, 'utf8').catch((error: unknown) =>
    fail('not_a_pool', `${source} is not a snapshot: there is no readable ${manifestName}.`, error),
  );
  try {
    const manifest = JSON.parse(text.slice(0, manifestMaxBytes)) as Manifest;
    const { cenoteSnapshot, segments } = manifest;
    const sound = segments.every(
      ({ sizeBytes, chunks }) =>
        Number.isSafeInteger(sizeBytes) && chunks.length === Math.ceil(sizeBytes / chunkBytes),
    );
    if (cenoteSnapshot === 1 && segments.length > 0 && sound) return manifest;
  } catch {
    // Told below with the other faults of a manifest.
  }
  return fail('pool_corrupt', `${path} is not a manifest of this version.`);
}

function total(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}
