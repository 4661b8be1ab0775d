/** Expired parts are hidden at once and removed when they are met; the sweep meets those that nobody asks for. */

import { isLive } from './contexts.ts';
import { segmentOf, wordOf } from './entry.ts';
import { reapOwners } from './reap.ts';
import { withPen } from './pen.ts';
import { retire, sweepRetired } from './remove.ts';
import type { Store } from './store.ts';

/** Entries that are looked at before others get a turn. */
const stretch = 256;

/** Looks at `limit` entries from number `from` on, round and round. */
export function sweepExpired(
  store: Store,
  from: number,
  limit: number,
): { readonly removed: number; readonly next: number } {
  reapOwners(store);
  withPen(store, () => sweepRetired(store));
  let removed = 0;
  let next = from;
  let left = Math.min(limit, store.entries.count);
  while (left > 0) {
    const looks = Math.min(left, stretch);
    const first = next;
    removed += withPen(store, () => removeExpiredFrom(store, first, looks));
    next = after(store, first, looks);
    left -= looks;
  }
  return { removed, next };
}

function after(store: Store, ordinal: number, looks: number): number {
  const { count } = store.entries;
  return count === 0 ? 0 : (ordinal + looks) % count;
}

function removeExpiredFrom(store: Store, first: number, looks: number): number {
  let removed = 0;
  for (let i = 0; i < looks; i++) {
    if (retireExpired(store, after(store, first, i))) removed++;
  }
  return removed;
}

function retireExpired(store: Store, ordinal: number): boolean {
  const ref = store.entries.at(ordinal);
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  if (!isLive(words, at) || !store.isExpired(words, at)) return false;
  retire(store, ref, 'expired');
  return true;
}
