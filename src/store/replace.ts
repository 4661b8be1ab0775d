/**
 * Replacement in place: the entry stays, and its other commit slot takes the new bytes. Nothing moves in index, lists or tags, so that this
 * costs half of a replacement by a new entry (ARCHITECTURE.md, measured decisions).
 *
 * ```
 * writer   no lease? │ idle slot │ selector │ no lease? ── yes ──► forget the old block, free it
 *                                                   └──── no ───► it stays parked in the idle slot until there is none
 * reader   lease bit │ state │ selector │ slot
 * ```
 * A reader sets its bit before it reads the selector, the writer changes the selector before it looks at the bits: where no bit is set then,
 * every later reader finds the new bytes. A crash before the selector leaves the old part, after it the new one.
 */

import type { Ref } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';
import { commitBytes, noteChange } from './commit.ts';
import { commitSlot, committed, field, segmentOf, selectorMax, traitsOf, wordOf } from './entry.ts';
import { freeParked, leaveReplaced } from './parked.ts';
import type { PartSpec, Payload } from './publish.ts';
import type { Store } from './store.ts';

/** Answer of `replaceInPlace` where a new entry is needed. */
export const needsEntry = -1;

/**
 * Lets the payload take the place of the bytes of `old`, where both have the same traits and as much room, and nobody reads the old ones.
 * @returns the version, or `needsEntry`: nothing has changed
 */
export function replaceInPlace(store: Store, spec: PartSpec, payload: Payload, old: Ref): number {
  const { words } = segmentOf(store.region, old);
  const at = wordOf(store.region, old);
  if (!mayStay(store, spec, payload, words, at)) return needsEntry;
  freeParked(store, words, at); // its leases have ended, and nobody has looked since
  const slot = committed(words, at);
  const growthBytes = payload.sizeBytes - peek(words, slot + commitSlot.length);
  store.allocator.keep(payload.ref);
  commitBytes(words, at, payload.ref, payload.sizeBytes, payload.crc32 ?? 0);
  payload.ref = 0;
  poke(words, at + field.checkedEpoch, spec.checkedEpoch ?? store.epoch);
  poke(words, at + field.uses, 0);
  poke(words, at + field.hints, 0);
  leaveReplaced(store, old, words, at);
  return noteChange(store, words, at, growthBytes, payload.sizeBytes);
}

/** True when the entry says of the new bytes what it says of the old ones, and both may have it for a moment. */
function mayStay(
  store: Store,
  spec: PartSpec,
  payload: Payload,
  words: Words,
  at: number,
): boolean {
  return (
    peek(words, at + field.traits) === traitsOf(spec, payload.crc32 !== undefined) &&
    peek(words, at + field.blockBytes) === payload.blockBytes &&
    payload.blockBytes > 0 &&
    spec.expiresAtMs === 0 &&
    spec.returning === undefined &&
    spec.tags.length === 0 &&
    peek(words, at + field.tagRef) === 0 &&
    !spec.sensitive &&
    store.hooks.tierSink === undefined &&
    peek(words, at + field.selector) < selectorMax &&
    !store.isLeased(words, at)
  );
}
