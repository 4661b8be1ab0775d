/** Listing contexts in the order of their UTF-8 bytes: the index has no order, so the smallest `limit` are selected. */

import { decodeUtf8 } from '../base/utf8.ts';
import type { Ref } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { isFresh, partsOf } from './contexts.ts';
import { field, segmentOf, state, stateMask, wordOf } from './entry.ts';
import { readAttempts } from './follower.ts';
import { readIdBytes } from './keys.ts';
import type { Table } from './ref-table.ts';
import { stable, stateOf } from './stable.ts';
import type { Store } from './store.ts';

interface Found {
  readonly id: Uint8Array;
  readonly ref: Ref;
}

/** Candidates are cut back to the best `limit` when they are this many times more. */
const slack = 4;

/** Heads of the first `limit` contexts with anything in them whose id starts with `prefix` and sorts after `after`. */
export function listContexts(
  store: Store,
  prefix: Uint8Array,
  after: Uint8Array | undefined,
  limit: number,
): Found[] {
  let found: Found[] = [];
  let bound: Uint8Array | undefined;
  for (const head of headsOf(store)) {
    const { id } = head;
    if (!startsWith(id, prefix)) continue;
    if (after !== undefined && Buffer.compare(id, after) <= 0) continue;
    if (bound !== undefined && Buffer.compare(id, bound) >= 0) continue;
    if (!hasFreshPart(store, head)) continue;
    found.push(head);
    if (found.length < limit * slack) continue;
    found = smallest(found, limit);
    // A full page bounds what follows; one that duplicates have made short does not.
    if (found.length === limit) bound = found.at(-1)?.id;
  }
  return smallest(found, limit);
}

/** The heads of all contexts. A joined reader may meet one twice, while the index grows or its head changes. */
function* headsOf(store: Store): Generator<Found> {
  for (const table of store.contexts.tables) {
    for (let slot = 0; slot <= table.mask; slot++) {
      const head = headAt(store, table, slot);
      if (head !== undefined) yield head;
    }
  }
}

/** Who is at a slot; looked at again while the writer puts another head there. */
export function headAt(store: Store, table: Table, slot: number): Found | undefined {
  for (let attempt = 0; attempt < readAttempts; attempt++) {
    const ref = table.refAt(slot);
    if (ref <= 0 || !store.entries.isEntry(ref)) return undefined;
    // A part that is being taken away is still its context's head.
    const life = stateOf(store, ref);
    const held = life & stateMask;
    const isHead = held === state.live || held === state.retired;
    const id = isHead ? stable(store, ref, life, () => idBytesOf(store, ref)) : undefined;
    if (id !== undefined && table.refAt(slot) === ref) return { id, ref };
  }
  return undefined;
}

/** False when the time of every part is over: such a context would only make a page shorter. */
export function hasFreshPart(store: Store, { id, ref }: Found): boolean {
  return isFresh(store, ref) || partsOf(store, decodeUtf8(id)).length > 0;
}

function smallest(found: Found[], limit: number): Found[] {
  found.sort((a, b) => Buffer.compare(a.id, b.id));
  const isFirst = ({ id }: Found, i: number): boolean =>
    i === 0 || Buffer.compare(id, (found[i - 1] as Found).id) !== 0;
  return found.filter(isFirst).slice(0, limit);
}

function idBytesOf(store: Store, ref: Ref): Uint8Array {
  const { words } = segmentOf(store.region, ref);
  const keyRef = peek(words, wordOf(store.region, ref) + field.keyRef);
  const segment = segmentOf(store.region, keyRef === 0 ? ref : keyRef);
  const at = keyRef === 0 ? wordOf(store.region, ref) + field.key : wordOf(store.region, keyRef);
  return readIdBytes(segment.words, segment.bytes, at);
}

function startsWith(id: Uint8Array, prefix: Uint8Array): boolean {
  if (id.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (id[i] !== prefix[i]) return false;
  return true;
}
