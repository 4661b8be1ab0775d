/**
 * A snapshot by pages, of a pool that nobody changes meanwhile: for machines that cannot map files, and so have no pool on the disk to copy into.
 *
 * Only pages in use are copied (free ones may hold what was deleted), so the files are sparse. The copy is marked as not closed in order: whoever
 * opens it recovers, which drops leases and drafts, and verifies each part at its first get.
 */

import { segmentLayout } from '../alloc/layout.ts';
import { fail } from '../errors.ts';
import { segmentPath } from '../memory/pool-files.ts';
import { granuleShift, pageBytes, type Segment } from '../memory/region.ts';
import type { Store } from '../store/store.ts';
import type { SnapshotOptions } from './api.ts';
import { type ListedFile, Progress, writeFileInChunks } from './snapshot-files.ts';

/**
 * Keeps all owners from changing the pool, this one included: nobody has the pen, and no run of pages is made or ended. What they still do, in
 * their own slabs, is undone by the recovery of the copy; a segment that they add is seen in the end.
 * @returns what ends it @throws pool_busy
 */
function freeze({ allocator, pen }: Store): () => void {
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

/** Copies the pool into a folder. @throws aborted, pool_busy, io_failed */
export async function copyFrozen(
  store: Store,
  folder: string,
  options: SnapshotOptions,
): Promise<ListedFile[]> {
  const thaw = freeze(store);
  try {
    store.region.refresh();
    const segments = [...store.region.segments];
    const totalBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const progress = new Progress(totalBytes, options);
    const written: ListedFile[] = [];
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
    store.region.refresh();
    if (store.region.segments.length !== segments.length)
      fail('pool_busy', 'The pool has grown while it was copied; try again.');
    return written;
  } finally {
    thaw();
  }
}

/** One byte per page: the segment's metadata, and what live allocations touch. */
export function usedPages(store: Store, segment: Segment): Uint8Array {
  const { segmentShift, slabShift } = store.region;
  const layout = segmentLayout(segment.sizeBytes, slabShift);
  const used = new Uint8Array(layout.pages).fill(1, 0, layout.dataPage);
  const refShift = segmentShift - granuleShift;
  store.allocator.walk(
    (block) => {
      if (!block.live || block.ref >>> refShift !== segment.number) return;
      const byte = (block.ref & ((1 << refShift) - 1)) << granuleShift;
      used.fill(1, Math.floor(byte / pageBytes), Math.ceil((byte + block.sizeBytes) / pageBytes));
    },
    () => undefined, // in a segment that has just been added
  );
  return used;
}

function copyUsed(segment: Segment, used: Uint8Array, from: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; at += pageBytes) {
    if (used[(from + at) / pageBytes] !== 1) continue;
    chunk.set(segment.bytes.subarray(from + at, from + Math.min(at + pageBytes, chunk.length)), at);
  }
}
