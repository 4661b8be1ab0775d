/**
 * The moments at which a crash leaves something else than just before: an access that reads, or writes what is there, moves nothing.
 * After each one that may write, and each change by a test's own means, all of memory is compared, so that this is so by what is there.
 */

import { accessCount, disarm, watchWrites } from './instrumented-words.ts';

/** Accesses of `work` to crash at: the first one, and each that memory is another before than before the last of these; after them one more, when it has ended. */
export function momentsOf(memory: readonly ArrayBufferLike[], work: () => void): number[] {
  const moments = [1];
  let seen = copyOf(memory);
  watchWrites((access) => {
    if (isAs(memory, seen)) return;
    seen = copyOf(memory);
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

function copyOf(memory: readonly ArrayBufferLike[]): Uint8Array[] {
  return memory.map((buffer) => new Uint8Array(buffer).slice());
}

function isAs(memory: readonly ArrayBufferLike[], copy: readonly Uint8Array[]): boolean {
  return (
    memory.length === copy.length &&
    memory.every((buffer, n) => Buffer.compare(Buffer.from(buffer), copy[n] as Uint8Array) === 0)
  );
}
