/** Owners that died without closing: their leases end, and what they allocated and did not publish is freed. */

import { peek, and } from '../memory/words.ts';
import { field, segmentOf, wordOf } from './entry.ts';
import type { Store } from './store.ts';

/** Recovers every other owner that died. The writer's. @returns how many there were */
export function reapReaders(store: Store): number {
  let reaped = 0;
  for (let slot = 1; slot < store.region.superblock.ownersMax; slot++) {
    if (reapReader(store, slot)) reaped++;
  }
  return reaped;
}

/** Recovers the owner of a slot. The writer's. @returns false when it lives, or there is none @throws pool_busy */
export function reapReader(store: Store, slot: number): boolean {
  const { region } = store;
  if (region.ownerSlot !== 0 || region.reclaim === undefined) return false;
  return region.reclaim(slot, () => {
    endLeases(store, slot);
    store.allocator.clearOwner(slot);
  });
}

/** Ends every lease of an owner slot. */
export function endLeases(store: Store, slot: number): void {
  const bit = 1 << (slot & 31);
  for (let ordinal = 0; ordinal < store.entries.count; ordinal++) {
    const ref = store.entries.at(ordinal);
    const { words } = segmentOf(store.region, ref);
    const word = wordOf(store.region, ref) + field.leases + (slot >>> 5);
    if ((peek(words, word) & bit) !== 0) and(words, word, ~bit);
  }
}
