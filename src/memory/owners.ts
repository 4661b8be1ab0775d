/**
 * Owner slots of segment 0: who uses the region, and what it was about to do.
 *
 * ```
 *  word  0       1     2     3         4          5       6          7         8…15    16        17         18           19          20…31
 *       ┌───────┬─────┬─────┬─────────┬──────────┬───────┬──────────┬─────────┬───────┬─────────┬──────────┬────────────┬───────────┬───────┐
 *       │ state │ pid │ tid │start low│start high│ epoch │ counters │ reclaim │opened │intentOp │intentRef │intentEntry │intentStep │ spare │
 *       │       │     │     │         │          │       │ Page     │ Lock    │ spare │         │          │            │           │       │
 *       └───────┴─────┴─────┴─────────┴──────────┴───────┴──────────┴─────────┴───────┴─────────┴──────────┴────────────┴───────────┴───────┘
 *        state:  31             2 1 0
 *               ┌────────────────┬───┐   0 free   1 live   2 abandoned: its owner died, and has not been recovered yet
 *               │ thread id + 1  │   │   3 being taken by that thread (shared regions only)
 *               └────────────────┴───┘
 * ```
 * 128 bytes: identity in the first cache line, the intent (written before and after every multi-step change) in the second. The epoch
 * rises each time that the slot is taken and is never cleared, so that (slot, epoch) is one life of one owner.
 *
 * Pid and start time are for people. Whether an owner lives is decided by its lock on byte `slot` of `owners.lock` in mapped
 * regions. In shared ones whoever started the thread says that it has ended, and the state has it.
 */

import { fail } from '../errors.ts';
import { highWord, lowWord } from './fields.ts';
import { ownerSlotBytes, ownerSlotsByte } from './layout.ts';
import type { OwnerIdentity } from './process.ts';
import { compareExchange, load, peek, store } from './words.ts';
import type { Words } from './words.ts';

/** Word indices within a slot. */
export const ownerSlot = {
  state: 0,
  pid: 1,
  tid: 2,
  startTimeLow: 3,
  startTimeHigh: 4,
  epoch: 5,
  countersPage: 6,
  reclaimLock: 7,
  /** The epoch of the slot, from when its owner has opened the store on: until then it holds nothing of it. */
  opened: 8,
  intentOp: 16,
  intentRef: 17,
  intentEntry: 18,
  intentStep: 19,
} as const;

export const ownerFree = 0;
export const ownerLive = 1;
export const ownerAbandoned = 2;

const wordsPerSlot = ownerSlotBytes >> 2;
const maxEpoch = 0x7f_ff_ff_ff;

/** Index in the words of segment 0 of a field of an owner slot: `ownerWord(region.ownerSlot, ownerSlot.intentOp)`. */
export function ownerWord(slot: number, field: number): number {
  return (ownerSlotsByte >> 2) + slot * wordsPerSlot + field;
}

/** State of a slot that a thread is about to have: should it end there, its id is known from the first moment on. */
function takenBy(tid: number): number {
  return ((tid + 1) << 2) | 3;
}

function introduce(words: Words, slot: number, who: OwnerIdentity): void {
  store(words, ownerWord(slot, ownerSlot.pid), who.pid);
  store(words, ownerWord(slot, ownerSlot.tid), who.tid);
  store(words, ownerWord(slot, ownerSlot.startTimeLow), lowWord(who.startTime));
  store(words, ownerWord(slot, ownerSlot.startTimeHigh), highWord(who.startTime));
  raiseEpoch(words, slot);
}

/** Ends all locks of the slot's earlier owners: their tokens have lower epochs. */
export function raiseEpoch(words: Words, slot: number): void {
  const at = ownerWord(slot, ownerSlot.epoch);
  store(words, at, (load(words, at) + 1) & maxEpoch);
}

/**
 * Takes a slot that the caller holds by other means (slot 0 of a new region, or the lock of its byte).
 * Its intent is left as it was found: recovery reads it.
 * @returns true when the previous owner never gave the slot back
 */
export function takeOwnerSlot(words: Words, slot: number, who: OwnerIdentity): boolean {
  const before = load(words, ownerWord(slot, ownerSlot.state));
  introduce(words, slot, who);
  store(words, ownerWord(slot, ownerSlot.state), ownerLive);
  return before !== ownerFree;
}

/** Slots that are not free: of the living, and of the dead until they are recovered. May be of an instant ago. */
export function countOwners(words: Words, ownersMax: number): number {
  let owners = 0;
  for (let slot = 0; slot < ownersMax; slot += 1) {
    if (peek(words, ownerWord(slot, ownerSlot.state)) !== ownerFree) owners += 1;
  }
  return owners;
}

/**
 * Claims a free slot of 1…ownersMax − 1. One that is abandoned stays so until it was reclaimed.
 * @throws too_many_owners
 */
export function claimOwnerSlot(words: Words, ownersMax: number, who: OwnerIdentity): number {
  for (let slot = 1; slot < ownersMax; slot += 1) {
    const state = ownerWord(slot, ownerSlot.state);
    if (compareExchange(words, state, ownerFree, takenBy(who.tid)) !== ownerFree) continue;
    introduce(words, slot, who);
    store(words, state, ownerLive);
    return slot;
  }
  return fail('too_many_owners', `all ${ownersMax} owner slots of the region are taken`);
}

/** Abandons every slot of a thread that has ended. @returns which */
export function abandonSlotsOf(words: Words, ownersMax: number, tid: number): number[] {
  const abandoned: number[] = [];
  for (let slot = 0; slot < ownersMax; slot += 1) {
    const at = ownerWord(slot, ownerSlot.state);
    const state = load(words, at);
    const itsOwn = state === ownerLive && load(words, ownerWord(slot, ownerSlot.tid)) === tid;
    if (!itsOwn && state !== takenBy(tid)) continue;
    store(words, at, ownerAbandoned);
    abandoned.push(slot);
  }
  return abandoned;
}

/**
 * Ends a slot that its owner gives back, or whose owner was recovered. The epoch stays, for the next owner to raise; so does the thread's id, by which the
 * slot is found should it end right here, and what a dead owner intended, which nobody may have finished yet.
 */
export function freeOwnerSlot(words: Words, slot: number): void {
  for (const field of [
    ownerSlot.opened,
    ownerSlot.startTimeHigh,
    ownerSlot.startTimeLow,
    ownerSlot.pid,
    ownerSlot.state,
  ])
    store(words, ownerWord(slot, field), 0);
}

/** Leaves a slot as its owner's death would: whoever survives clears it. */
export function abandonOwnerSlot(words: Words, slot: number): void {
  store(words, ownerWord(slot, ownerSlot.state), ownerAbandoned);
}
