/** An owner of the pool that is shared, and what it writes into its blocks. */

import { createAllocator, openAllocator } from '../../../dist/alloc/allocator.js';
import { systemWaiter } from '../../../dist/base/clock.js';
import { freshIdentity } from '../../../dist/memory/identity.js';
import { openMappedRegion } from '../../../dist/memory/mapped.js';
import { isRepeated } from '../fixtures/repeated.mjs';

export const kindCount = 5;
const ownersMax = 16;
/** One who is stopped may have a lock that all others want: they ask again, rather than wait. */
const lockWaitMs = 10;

/** How often one asks who opens: another may be recovering the slot, or be preempted with a lock. */
const openingsMax = 500;

/** @param {string} folder @param {'own' | 'join'} mode */
export function openOwner(folder, mode) {
  for (let opening = 1; ; opening++) {
    try {
      return tryOpen(folder, mode);
    } catch (error) {
      if (error.code !== 'pool_busy' || opening === openingsMax) throw error;
      systemWaiter.pause(1);
    }
  }
}

/** @param {string} folder @param {'own' | 'join'} mode */
function tryOpen(folder, mode) {
  const options = {
    capacityBytes: 48 * 2 ** 20,
    segmentBytes: 2 ** 22,
    ownersMax,
    ...freshIdentity(),
  };
  const patience = { waitMs: lockWaitMs, waiter: systemWaiter };
  const region = openMappedRegion(folder, mode, options, undefined, patience);
  try {
    const isNew = region.superblock.clean && region.superblock.epoch === 0 && mode === 'own';
    const allocator = (isNew ? createAllocator : openAllocator)(region, { lockWaitMs });
    if (isNew) region.commit({ epoch: 1 });
    // Whoever had the slot before has died with it.
    if (region.slotAbandoned) allocator.recover();
    return { region, allocator };
  } catch (error) {
    region.close();
    throw error;
  }
}

/** Recovers every owner that died. @param {ReturnType<typeof openOwner>} owner @returns {number} how many */
export function recoverDead({ region, allocator }) {
  let recovered = 0;
  for (let slot = 0; slot < ownersMax; slot++) {
    if (slot === region.ownerSlot || region.ownerLives(slot)) continue;
    if (allocator.recoverOwner(slot)) recovered++;
  }
  return recovered;
}

/** The words of a block. @param {ReturnType<typeof openOwner>} owner @param {number} ref */
function wordsOf({ region, allocator }, ref) {
  const shift = region.segmentShift - 6;
  const { words } = region.segments[ref >> shift];
  const first = (ref & ((1 << shift) - 1)) << 4;
  return words.subarray(first, first + allocator.sizeOf(ref) / 4);
}

/** @param {ReturnType<typeof openOwner>} owner @param {number} ref @param {number} mark */
export function inscribe(owner, ref, mark) {
  wordsOf(owner, ref).fill(mark);
}

/** @param {ReturnType<typeof openOwner>} owner @param {number} ref @param {number} mark */
export function isInscribed(owner, ref, mark) {
  const words = wordsOf(owner, ref);
  return isRepeated(words, 0, words.length, mark);
}
