/** Bytes that were replaced in place while somebody had a lease on them: they wait in the entry's idle slot (replace.ts). */

import { kinds, type KindName } from '../alloc/kind.ts';
import { control } from '../memory/layout.ts';
import type { Ref } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';
import { commitSlot, field, idle, parked, segmentOf, trait, wordOf } from './entry.ts';
import { wipe } from './payload.ts';
import type { Store } from './store.ts';

/** Frees the bytes whose place others took, or lets them wait: to be called after the commit. */
export function leaveReplaced(store: Store, ref: Ref, words: Words, at: number): void {
  if (store.isLeased(words, at)) awaitParked(store, ref);
  else freeParked(store, ref, words, at);
}

/** Notes an entry with parked bytes, whose leases will end. */
export function awaitParked(store: Store, ref: Ref): void {
  store.parked.add(ref);
  poke(store.control, store.controlAt + control.parkedParts, store.parked.size);
}

/** Frees the parked bytes of an entry that has no lease. Without such bytes nothing happens. */
export function freeParked(store: Store, ref: Ref, words: Words, at: number): void {
  const block = parked(words, at);
  if (block === 0) return;
  poke(words, idle(words, at) + commitSlot.ref, 0);
  const traits = peek(words, at + field.traits);
  const kind = traits & trait.kindMask;
  const blockBytes = peek(words, at + field.blockBytes);
  if ((traits & trait.sensitive) !== 0) wipe(store, block, blockBytes);
  store.allocator.free(block, kind);
  store.hooks.refund(kinds[kind] as KindName, blockBytes);
  if (!store.parked.delete(ref)) return;
  poke(store.control, store.controlAt + control.parkedParts, store.parked.size);
}

/** Frees parked bytes whose leases have ended. @returns how many */
export function sweepParked(store: Store): number {
  let freed = 0;
  for (const ref of store.parked) {
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    if (store.isLeased(words, at)) continue;
    freeParked(store, ref, words, at);
    freed++;
  }
  return freed;
}
