/** The mark in an entry that says that the disk has its version. */

import { fail } from '../errors.ts';
import type { Ref } from '../memory/region.ts';
import { load, peek, poke, type Words } from '../memory/words.ts';
import { field, segmentOf, wordOf } from '../store/entry.ts';
import { noteOnDisk } from '../store/hold.ts';
import type { Store } from '../store/store.ts';

/** True when the disk has exactly what the entry says. */
export function isPersisted(words: Words, at: number): boolean {
  return peek(words, at + field.persisted) === (load(words, at + field.selector) >>> 1) + 1;
}

/** Notes in an entry that the disk has its version. */
export function notePersisted(store: Store, ref: Ref): void {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  noteOnDisk(store, ref);
  poke(words, at + field.persisted, (load(words, at + field.selector) >>> 1) + 1);
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) fail('aborted', 'The operation was cancelled.', signal.reason);
}
