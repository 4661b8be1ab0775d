/**
 * Moves the bytes of a part to another block of the same room. Its version stays: the selector changes the slot and counts no change. Readers find
 * the bytes in one place or the other, as with a replacement in place (replace.ts).
 */

import { crc32 } from '../base/checksum.ts';
import { fail } from '../errors.ts';
import { copyTargetOf, type Ref } from '../memory/region.ts';
import { copyInto, peek, type Words } from '../memory/words.ts';
import { commitBytes } from './commit.ts';
import { bump, counter } from './counters.ts';
import { byteOf, commitSlot, committed, field, movedSelector, segmentOf, trait } from './entry.ts';
import { freeParked, leaveReplaced } from './parked.ts';
import { bytesOfEntry } from './payload.ts';
import type { Payload } from './publish.ts';
import type { Store } from './store.ts';

/** True for a part whose bytes nobody holds in their place. */
export function mayMove(store: Store, ref: Ref, words: Words, at: number): boolean {
  const movable = (peek(words, at + field.traits) & trait.movable) !== 0;
  return movable && ref !== store.protectedEntry && !store.isLeased(words, at);
}

/**
 * Copies the bytes of a live part to the block of `payload`, looks whether they are those that were written, and commits.
 * @returns false when they are not, or the part may not move: nothing has changed, and the payload is the caller's
 * @throws pool_corrupt for a part that claims more than its block has
 */
export function movePart(
  store: Store,
  ref: Ref,
  words: Words,
  at: number,
  payload: Payload,
): boolean {
  if (!mayMove(store, ref, words, at)) return false;
  freeParked(store, words, at);
  const to = payload.ref;
  const from = committed(words, at);
  const length = peek(words, from + commitSlot.length);
  const sum = peek(words, from + commitSlot.crc32);
  if (length < 0 || length > store.allocator.sizeOf(to)) {
    fail(
      'pool_corrupt',
      `A part claims ${length} bytes in a block of ${store.allocator.sizeOf(to)}.`,
    );
  }
  const target = segmentOf(store.region, to);
  const toByte = byteOf(store.region, to);
  copyInto(copyTargetOf(target), toByte, bytesOfEntry(store.region, words, at));
  const checksummed = (peek(words, at + field.traits) & trait.checksummed) !== 0;
  if (checksummed && crc32(target.bytes.subarray(toByte, toByte + length)) !== sum) {
    bump(store.control, store.countersAt + counter.corruptParts, 1);
    return false;
  }
  store.allocator.keep(to);
  commitBytes(words, at, to, length, sum, movedSelector(peek(words, at + field.selector)));
  payload.ref = 0;
  leaveReplaced(store, ref, words, at);
  return true;
}
