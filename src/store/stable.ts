/**
 * What is known of parts, read while other owners may change them: whatever did not stand still is looked at again, and so is what an owner that
 * did nothing while others grew the index finds in tables that it still has of before.
 */

import { fail } from '../errors.ts';
import type { Ref } from '../memory/region.ts';
import { load } from '../memory/words.ts';
import { type Chain, ofChain } from './context-chain.ts';
import { partOf, type PartRecord, recordOf } from './contexts.ts';
import { field, segmentOf, wordOf } from './entry.ts';
import { readAttempts } from './follower.ts';
import type { Store } from './store.ts';

/** The live, unexpired part of that name, or 0. @throws pool_busy when it never stands still */
export function partNamed(store: Store, id: string, part: string): Ref {
  return store.follower.settled(() => partOf(store, id, part));
}

/** The record of the part of that name, or undefined when there is none. @throws pool_busy when it never stands still */
export function recordNamed(store: Store, id: string, part: string): PartRecord | undefined {
  return lookAt(store, id, part, (_, record) => record);
}

/** What `look` makes of the part of that name and its record, both of one moment. @throws pool_busy */
export function lookAt<T>(
  store: Store,
  id: string,
  part: string,
  look: (ref: Ref, record: PartRecord) => T,
): T | undefined {
  return store.follower.settled(() => {
    for (let attempt = 0; attempt < readAttempts; attempt++) {
      const ref = partOf(store, id, part);
      if (ref === 0) return undefined;
      const seen = stable(store, ref, stateOf(store, ref), () =>
        store.isOfKey(ref)
          ? unappended(store, ref, () => look(ref, recordOf(store, ref)))
          : undefined,
      );
      if (seen !== undefined) return seen;
    }
    return fail(
      'pool_busy',
      `Part ${JSON.stringify(part)} changed at each of ${readAttempts} looks.`,
    );
  });
}

/** The records of the parts of a context, in no order: all of one moment. @throws pool_busy when it never stands still */
export function recordsOf(store: Store, id: string): PartRecord[] {
  return store.follower.settled(() => {
    store.key.setContext(id);
    return ofChain(store, (chain) => recordsIn(store, chain));
  });
}

/** Undefined when one of them did not stand still. */
function recordsIn(store: Store, { refs, lives }: Chain): PartRecord[] | undefined {
  const seen = refs.map((ref, i) =>
    stable(store, ref, lives[i] as number, () => freshRecord(store, ref)),
  );
  return seen.includes(undefined) ? undefined : seen.filter(isThere);
}

/** `expired` where the time of a part is over. */
function freshRecord(store: Store, ref: Ref): PartRecord | 'expired' | undefined {
  const expired = store.isExpired(segmentOf(store.region, ref).words, wordOf(store.region, ref));
  return expired ? 'expired' : unappended(store, ref, () => recordOf(store, ref));
}

/** What `look` sees of an entry, or undefined when something was appended meanwhile: it is still the same life. */
function unappended<T>(store: Store, ref: Ref, look: () => T): T | undefined {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref) + field.selector;
  const before = load(words, at);
  try {
    const seen = look();
    return load(words, at) === before ? seen : undefined;
  } catch (error) {
    if (load(words, at) === before) throw error;
    return undefined;
  }
}

function isThere(seen: PartRecord | 'expired' | undefined): seen is PartRecord {
  return typeof seen === 'object';
}

/** The state word of an entry: another one for each life and each state. */
export function stateOf(store: Store, ref: Ref): number {
  return load(segmentOf(store.region, ref).words, wordOf(store.region, ref) + field.state);
}

/** What `look` sees of an entry whose state word is `life`, or undefined when it has another one, or gets it meanwhile. */
export function stable<T>(
  store: Store,
  ref: Ref,
  life: number,
  look: () => T | undefined,
): T | undefined {
  if (stateOf(store, ref) !== life) return undefined;
  try {
    const seen = look();
    return stateOf(store, ref) === life ? seen : undefined;
  } catch (error) {
    // What a torn read leads to is judged by the state word: only an entry that stood still may have failed for a reason.
    if (stateOf(store, ref) === life) throw error;
    return undefined;
  }
}
