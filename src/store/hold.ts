/** A lease on a part that is not a use of it: for who copies it elsewhere. */

import type { Ref } from '../memory/region.ts';
import { or } from '../memory/words.ts';
import { type PartRecord, recordOf } from './contexts.ts';
import { field, segmentOf, tierMask, wordOf } from './entry.ts';
import { bytesOfEntry } from './payload.ts';
import type { Store } from './store.ts';

/** The bytes of one version of a part: they stay until `release`. */
export interface HeldPart {
  readonly ref: Ref;
  readonly record: PartRecord;
  readonly bytes: Uint8Array;
  release(): void;
}

/** Holds a live entry. Under the pen: record and bytes are of one moment, and nobody retires the entry before the bit is set. */
export function holdEntry(store: Store, ref: Ref): HeldPart {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  store.leases.take(words, at);
  try {
    const bytes = bytesOfEntry(store.region, words, at);
    return { ref, record: recordOf(store, ref), bytes, release: () => store.drop(ref) };
  } catch (error) {
    store.drop(ref);
    throw error;
  }
}

/** Says in the entry of a part that the disk may have a record of it, whatever becomes of the part. */
export function noteOnDisk(store: Store, ref: Ref): void {
  or(segmentOf(store.region, ref).words, wordOf(store.region, ref) + field.origin, tierMask.disk);
}
