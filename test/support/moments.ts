/**
 * The moments at which a crash leaves something else than just before: an access that reads, or writes what is there, moves nothing.
 * After each one that may write, and each change by a test's own means, all of memory is compared, so that this is so by what is there.
 */

import { bringUpToDate } from './copies.ts';
import { accessCount, disarm, watchWrites } from './instrumented-words.ts';

/** Accesses of `work` to crash at: the first one, and each that memory is another before than before the last of these; after them one more, when it has ended. */
export function momentsOf(memory: readonly ArrayBufferLike[], work: () => void): number[] {
  const moments = [1];
  const seen: ArrayBuffer[] = [];
  bringAllUpToDate(seen, memory);
  watchWrites((access) => {
    if (bringAllUpToDate(seen, memory)) moments.push(access);
  });
  try {
    work();
  } finally {
    disarm();
  }
  moments.push(accessCount() + 1);
  return moments;
}

/** Segments come and go. @returns whether anything differed */
function bringAllUpToDate(seen: ArrayBuffer[], memory: readonly ArrayBufferLike[]): boolean {
  let differs = seen.length > memory.length;
  seen.length = Math.min(seen.length, memory.length);
  for (const [n, buffer] of memory.entries()) {
    if (seen[n]?.byteLength !== buffer.byteLength) {
      seen[n] = new ArrayBuffer(buffer.byteLength);
      differs = true;
    }
    if (bringUpToDate(seen[n], buffer)) differs = true;
  }
  return differs;
}
