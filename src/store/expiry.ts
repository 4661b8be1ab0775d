/** Expired parts are hidden at once and removed when they are met; the sweep meets those that nobody asks for. */

import { isLive } from './contexts.ts';
import { segmentOf, wordOf } from './entry.ts';
import { reapReaders } from './reap.ts';
import { retire, sweepRetired } from './remove.ts';
import type { Store } from './store.ts';

/** Looks at `limit` entries from number `from` on, round and round. */
export function sweepExpired(
  store: Store,
  from: number,
  limit: number,
): { readonly removed: number; readonly next: number } {
  reapReaders(store);
  sweepRetired(store);
  const { count } = store.entries;
  let removed = 0;
  let ordinal = from < count ? from : 0;
  for (let i = Math.min(limit, count); i > 0; i--) {
    const ref = store.entries.at(ordinal);
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    if (isLive(words, at) && store.isExpired(words, at)) {
      retire(store, ref, 'expired');
      removed++;
    }
    ordinal = ordinal + 1 < count ? ordinal + 1 : 0;
  }
  return { removed, next: ordinal };
}
