/** Puts parts that were salvaged into a store, as they were: version, tags, times and all. */

import { kindOf, kinds, type Kind } from '../alloc/kind.ts';
import { copyTargetOf } from '../memory/region.ts';
import { control } from '../memory/layout.ts';
import { copyInto, peek, poke } from '../memory/words.ts';
import { readCell, writeCell } from './counters.ts';
import { byteOf, expiresAtMs, field, segmentOf, trait, wordOf } from './entry.ts';
import { checksumOfCopy } from './payload.ts';
import { freePayload, type PartSpec, publish, reserveFree } from './publish.ts';
import type { Survivor } from './salvage.ts';
import type { Store } from './store.ts';
import { encodeTag } from './tags.ts';

/** Of parts whose own kind is lost. */
const blobKind: Kind = kindOf('blob');

function specOf(store: Store, { words, at, tags }: Survivor): PartSpec {
  const traits = peek(words, at + field.traits);
  return {
    kind: (traits & trait.kindMask) < kinds.length ? traits & trait.kindMask : blobKind,
    element: (traits >>> trait.elementShift) & trait.elementMask,
    pinned: (traits & trait.pinned) !== 0,
    sensitive: (traits & trait.sensitive) !== 0,
    expiresAtMs: expiresAtMs(words, at),
    tags: tags.map((text) => encodeTag(store, text)),
    ifVersion: undefined,
    checkedEpoch: undefined,
    returning: undefined,
  };
}

/**
 * Adds a part that the store does not have. The store's clock must stand at 0, so that a version follows from the one before.
 * @returns false when there is no room for it: nothing has changed
 * @throws pool_full, when there is none for its entry
 */
export function refill(store: Store, part: Survivor): boolean {
  const spec = specOf(store, part);
  const payload = reserveFree(store, spec.kind, part.bytes.length);
  if (payload === undefined) return false;
  try {
    if (payload.ref !== 0) {
      const target = copyTargetOf(segmentOf(store.region, payload.ref));
      const to = byteOf(store.region, payload.ref);
      copyInto(target, to, part.bytes);
      payload.crc32 = checksumOfCopy(part.bytes, target, to);
    } else {
      payload.crc32 = 0;
    }
    store.key.set(part.id, part.part);
    writeCell(store.control, store.controlAt + control.versionLow, part.version - 1);
    publish(store, spec, payload, 0);
    restoreUse(store, part);
    return true;
  } catch (error) {
    freePayload(store, spec, payload);
    throw error;
  }
}

/** How often it was used, and what was hinted. */
function restoreUse(store: Store, { words, at }: Survivor): void {
  const ref = store.find();
  const own = segmentOf(store.region, ref).words;
  const ownAt = wordOf(store.region, ref);
  poke(own, ownAt + field.uses, peek(words, at + field.uses) & 0x7fffffff);
  poke(own, ownAt + field.hints, peek(words, at + field.hints));
}

/** No version that comes is at or below this one. */
export function raiseVersions(store: Store, lastVersion: number): void {
  const cell = store.controlAt + control.versionLow;
  writeCell(store.control, cell, Math.max(readCell(store.control, cell), lastVersion));
}
