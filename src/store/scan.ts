/**
 * Walking over all contexts piece by piece, while they change. The index orders contexts by a hash that each keeps for life, in whatever table it is: a
 * piece is a range of these hashes, and the place to go on is where it ends. So nothing needs to be remembered between two pieces, and every context
 * that is there all the while is met exactly once.
 */

import { headAt, hasFreshPart } from './list.ts';
import { hashEnd, type Table } from './ref-table.ts';
import type { Store } from './store.ts';

/** Slots that one piece looks at, whatever it finds: after much was deleted few of them are in use. */
const slotsMax = 65_536;

export interface ScanPiece {
  readonly ids: readonly Uint8Array[];
  /** Where the next piece begins; 0: there is none. */
  readonly next: number;
}

/** Contexts from hash `from` on, about `limit` of them. */
export function scanContexts(store: Store, from: number, limit: number): ScanPiece {
  const { contexts } = store;
  const { tables } = contexts;
  const slots = Math.max(...tables.map((table) => table.mask + 1));
  const share = Math.min(limit / Math.max(contexts.live, 1), slotsMax / slots);
  const to = Math.min(hashEnd, from + Math.max(1, Math.ceil(hashEnd * share)));
  const ids: Uint8Array[] = [];
  for (const table of tables) {
    for (const slot of slotsOf(table, from, to)) {
      const head = headAt(store, table, slot);
      if (head !== undefined && hasFreshPart(store, head)) ids.push(head.id);
    }
  }
  return { ids, next: to === hashEnd ? 0 : to };
}

/**
 * Slots that hold a hash in [from, to). A reference sits at the slot of its hash or, without an empty slot in between, behind it: so the first empty
 * slot behind the range ends it.
 */
function* slotsOf(table: Table, from: number, to: number): Generator<number> {
  const first = table.homeOf(from);
  const inRange = table.homeOf(to - 1) - first;
  for (let i = 0; i <= table.mask; i++) {
    const slot = (first + i) & table.mask;
    const ref = table.refAt(slot);
    if (ref === 0 && i >= inRange) return;
    if (ref <= 0) continue;
    const hash = table.hashAt(slot);
    if (hash >= from && hash < to) yield slot;
  }
}
