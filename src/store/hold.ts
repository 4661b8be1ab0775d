/** A lease on a part that is not a use of it: for who copies it elsewhere. */

import type { Ref } from '../memory/region.ts';
import { or } from '../memory/words.ts';
import { partOf, type PartRecord, recordOf } from './contexts.ts';
import { field, segmentOf, tierMask, wordOf } from './entry.ts';
import { bytesOfEntry } from './payload.ts';
import { withPen } from './pen.ts';
import type { Store } from './store.ts';

/** The bytes of one version of a part: they stay until `release`. */
export interface HeldPart {
  readonly ref: Ref;
  readonly record: PartRecord;
  readonly bytes: Uint8Array;
  release(): void;
}

/** Holds the part of that name; undefined when there is none. @throws pool_busy */
export function hold(store: Store, id: string, part: string): HeldPart | undefined {
  // Under the pen: record and bytes are of one moment, and nobody retires the entry before the bit is set.
  return withPen(store, () => {
    const ref = partOf(store, id, part);
    return ref === 0 ? undefined : holdEntry(store, ref);
  });
}

/** Holds a live entry. By who holds the pen. */
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
