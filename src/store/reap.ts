/** Owners that died without closing: their leases end, and what they allocated and did not publish is freed. */

import { peek, and } from '../memory/words.ts';
import { field, segmentOf, wordOf } from './entry.ts';
import type { Store } from './store.ts';

/** Recovers every other owner that died. @returns how many there were @throws pool_busy */
export function reapOwners(store: Store): number {
  let reaped = 0;
  for (let slot = 0; slot < store.region.superblock.ownersMax; slot++) {
    if (reapOwner(store, slot)) reaped++;
  }
  return reaped;
}

/**
 * Recovers the owner of a slot. What it was at with the pen in its hand is brought in order by whoever takes that next.
 * @returns false when it lives, or there is none @throws pool_busy
 */
export function reapOwner(store: Store, slot: number): boolean {
  const { region } = store;
  if (region.ownerSlot < 0 || region.reclaim === undefined) return false;
  return region.reclaim(slot, () => {
    region.commit({}); // if it died over a superblock there are two that differ: the newer one counts from now on
    endLeases(store, slot);
    store.allocator.clearOwner(slot);
  });
}

/** Ends every lease of an owner slot. */
export function endLeases(store: Store, slot: number): void {
  store.region.refresh();
  store.entries.refresh();
  const bit = 1 << (slot & 31);
  for (let ordinal = 0; ordinal < store.entries.count; ordinal++) {
    const ref = store.entries.at(ordinal);
    const { words } = segmentOf(store.region, ref);
    const word = wordOf(store.region, ref) + field.leases + (slot >>> 5);
    if ((peek(words, word) & bit) !== 0) and(words, word, ~bit);
  }
}
