/** What is known of a part, read while another thread may replace it. */

import type { Ref } from '../memory/region.ts';
import { load } from '../memory/words.ts';
import { isLive, type PartRecord, recordOf } from './contexts.ts';
import { field, segmentOf, wordOf } from './entry.ts';
import type { Store } from './store.ts';

/** The record of a live entry, or undefined when it went or changed while it was read. */
export function stableRecord(store: Store, ref: Ref): PartRecord | undefined {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  const before = load(words, at + field.state);
  if (!isLive(words, at)) return undefined;
  try {
    const record = recordOf(store, ref);
    return load(words, at + field.state) === before ? record : undefined;
  } catch (error) {
    // What a torn read leads to is judged by the state word: only a part that stood still may have failed for a reason.
    if (load(words, at + field.state) === before) throw error;
    return undefined;
  }
}
