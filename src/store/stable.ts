/**
 * What is known of parts, read while another thread may change them: whatever did not stand still is looked at again. The writer finds
 * everything still.
 */

import { fail } from '../errors.ts';
import type { Ref } from '../memory/region.ts';
import { load } from '../memory/words.ts';
import { partOf, partsOf, type PartRecord, recordOf } from './contexts.ts';
import { field, segmentOf, state, stateMask, wordOf } from './entry.ts';
import { readAttempts } from './follower.ts';
import type { Store } from './store.ts';

/** The record of the part of that name, or undefined when there is none. @throws pool_busy when it never stands still */
export function recordNamed(store: Store, id: string, part: string): PartRecord | undefined {
  for (let attempt = 0; attempt < readAttempts; attempt++) {
    const ref = partOf(store, id, part);
    if (ref === 0) return undefined;
    const record = stable(store, ref, () =>
      store.isOfKey(ref) ? recordOf(store, ref) : undefined,
    );
    if (record !== undefined) return record;
  }
  return fail('pool_busy', `Part ${JSON.stringify(part)} changed at each of ${readAttempts} looks.`);
}

/** The records of the parts of a context, in no order. @throws pool_busy when it never stands still */
export function recordsOf(store: Store, id: string): PartRecord[] {
  for (let attempt = 0; attempt < readAttempts; attempt++) {
    const refs = partsOf(store, id);
    const records = refs.flatMap(
      (ref) =>
        stable(store, ref, () => (store.isOfContext(ref) ? recordOf(store, ref) : undefined)) ?? [],
    );
    if (records.length === refs.length) return records;
  }
  return fail('pool_busy', `${JSON.stringify(id)} changed at each of ${readAttempts} looks.`);
}

/** What `look` sees of a live entry, or undefined when it went or changed meanwhile. */
export function stable<T>(store: Store, ref: Ref, look: () => T | undefined): T | undefined {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref) + field.state;
  const before = load(words, at);
  if ((before & stateMask) !== state.live) return undefined;
  try {
    const seen = look();
    return load(words, at) === before ? seen : undefined;
  } catch (error) {
    // What a torn read leads to is judged by the state word: only a part that stood still may have failed for a reason.
    if (load(words, at) === before) throw error;
    return undefined;
  }
}
