/** Listing contexts in the order of their UTF-8 bytes: the index has no order, so the smallest `limit` are selected. */

import type { Ref } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { nextOf } from './context-chain.ts';
import { isFresh } from './contexts.ts';
import { field, segmentOf, wordOf } from './entry.ts';
import { readIdBytes } from './keys.ts';
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
  for (const ref of store.contexts.refs()) {
    const id = idBytesOf(store, ref);
    if (!startsWith(id, prefix)) continue;
    if (after !== undefined && Buffer.compare(id, after) <= 0) continue;
    if (bound !== undefined && Buffer.compare(id, bound) >= 0) continue;
    if (!hasFreshPart(store, ref)) continue;
    found.push({ id, ref });
    if (found.length < limit * slack) continue;
    found = smallest(found, limit);
    bound = found.at(-1)?.id;
  }
  return smallest(found, limit);
}

/** False when the time of every part is over: such a context would only make a page shorter. */
function hasFreshPart(store: Store, head: Ref): boolean {
  const limit = store.entries.count;
  let ref = head;
  for (let i = 0; ref !== 0 && i <= limit; i++) {
    if (isFresh(store, ref)) return true;
    ref = nextOf(store, ref);
  }
  return false;
}

function smallest(found: Found[], limit: number): Found[] {
  return found.sort((a, b) => Buffer.compare(a.id, b.id)).slice(0, limit);
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
