/**
 * The moments at which a crash leaves something else than just before: an access that reads, or writes what is there, moves nothing.
 * After each one that may write all of memory is compared, so that this is so by what is there.
 */

import { accessCount, disarm, watchWrites } from '../support/instrumented-words.ts';
import { copyMemory, sameMemory, type SharedHandle } from '../support/owned-memory.ts';

/** Accesses of `work` to crash at: the first one, and each that memory is another before than before the last of these; after them one more, when it has ended. */
export function momentsOf(memory: SharedHandle, work: () => void): number[] {
  const moments = [1];
  let seen = copyMemory(memory);
  watchWrites((access) => {
    if (sameMemory(memory, seen)) return;
    seen = copyMemory(memory);
    moments.push(access);
  });
  try {
    work();
  } finally {
    disarm();
  }
  moments.push(accessCount() + 1);
  return moments;
}
