/** What `check` tells of a pool. */

import { formatVersion } from '../memory/superblock-codec.ts';
import { checkLiving, checkStore } from '../store/check.ts';
import { withPen } from '../store/pen.ts';
import type { Store } from '../store/store.ts';
import type { CheckReport } from './api.ts';

/** @param isOnlooker it has no pen: what it sees may be in motion @throws pool_busy */
export function checkReport(store: Store, isOnlooker: boolean): CheckReport {
  const found = isOnlooker
    ? store.follower.settled(() => checkStore(store))
    : withPen(store, () => checkLiving(store));
  return {
    ok: found.errors.length === 0,
    version: formatVersion,
    ...found,
    segments: store.region.segments.length,
  };
}
