/** Bytes that were replaced in place while somebody had a lease on them: they wait in the entry's idle slot (replace.ts). */

import { kinds, type KindName } from '../alloc/kind.ts';
import type { Ref } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';
import { commitSlot, field, idle, parked, trait } from './entry.ts';
import { wipe } from './payload.ts';
import type { Store } from './store.ts';

/** Frees the bytes whose place others took, or lets them wait: to be called after the commit. */
export function leaveReplaced(store: Store, ref: Ref, words: Words, at: number): void {
  if (store.isLeased(words, at)) return store.parked.add(ref, words, at);
  try {
    freeIdle(store, words, at);
  } catch (error) {
    store.pen.breaks();
    throw error;
  }
}

/** Frees the parked bytes of an entry that has no lease. Without such bytes nothing happens. */
export function freeParked(store: Store, words: Words, at: number): void {
  if (parked(words, at) === 0) return;
  store.parked.remove(words, at);
  freeIdle(store, words, at);
}

/** Frees parked bytes whose leases have ended. @returns how many */
export function sweepParked(store: Store): number {
  let freed = 0;
  store.parked.each((_, words, at) => {
    if (store.isLeased(words, at)) return;
    freeParked(store, words, at);
    freed++;
  });
  return freed;
}

function freeIdle(store: Store, words: Words, at: number): void {
  const block = parked(words, at);
  if (block === 0) return;
  poke(words, idle(words, at) + commitSlot.ref, 0);
  const traits = peek(words, at + field.traits);
  const kind = traits & trait.kindMask;
  const blockBytes = peek(words, at + field.blockBytes);
  if ((traits & trait.sensitive) !== 0) wipe(store, block, blockBytes);
  store.allocator.free(block, kind);
  store.hooks.refund(kinds[kind] as KindName, blockBytes);
}
