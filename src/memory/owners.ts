/**
 * Owner slots of segment 0: who uses the region, and what it was about to do.
 *
 * ```
 *  word  0       1     2     3         4          5       6          7…15    16        17         18           19          20…31
 *       ┌───────┬─────┬─────┬─────────┬──────────┬───────┬──────────┬───────┬─────────┬──────────┬────────────┬───────────┬───────┐
 *       │ state │ pid │ tid │start low│start high│ epoch │ counters │ spare │intentOp │intentRef │intentEntry │intentStep │ spare │
 *       │ 0 free│     │     │         │          │       │ Page     │       │         │          │            │           │       │
 *       │ 1 live│     │     │         │          │       │          │       │         │          │            │           │       │
 *       └───────┴─────┴─────┴─────────┴──────────┴───────┴──────────┴───────┴─────────┴──────────┴────────────┴───────────┴───────┘
 * ```
 * 128 bytes: identity in the first cache line, the intent (written before and after every multi-step change) in the second.
 * Pid, thread id and start time are for people. Whether an owner lives is decided by its lock on byte `slot` of `owners.lock` in mapped
 * regions, and by the creator, who sees its workers exit, in shared ones.
 */

import { fail } from '../errors.ts';
import { highWord, lowWord } from './fields.ts';
import { ownerSlotBytes, ownerSlotsByte } from './layout.ts';
import type { OwnerIdentity } from './process.ts';
import { compareExchange, load, store } from './words.ts';
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
  intentOp: 16,
  intentRef: 17,
  intentEntry: 18,
  intentStep: 19,
} as const;

export const ownerFree = 0;
export const ownerLive = 1;

const wordsPerSlot = ownerSlotBytes >> 2;
const maxEpoch = 0x7f_ff_ff_ff;

/** Index in the words of segment 0 of a field of an owner slot: `ownerWord(region.ownerSlot, ownerSlot.intentOp)`. */
export function ownerWord(slot: number, field: number): number {
  return (ownerSlotsByte >> 2) + slot * wordsPerSlot + field;
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

/**
 * Claims a free slot of 1…ownersMax − 1.
 * @throws too_many_owners
 */
export function claimOwnerSlot(words: Words, ownersMax: number, who: OwnerIdentity): number {
  for (let slot = 1; slot < ownersMax; slot += 1) {
    if (
      compareExchange(words, ownerWord(slot, ownerSlot.state), ownerFree, ownerLive) !== ownerFree
    )
      continue;
    introduce(words, slot, who);
    return slot;
  }
  return fail('too_many_owners', `all ${ownersMax} owner slots of the region are taken`);
}

/** Gives a slot back, its intent cleared; the epoch stays, for the next owner to raise. Also for the creator of a shared region, when the worker that held the slot has exited. */
export function releaseOwnerSlot(words: Words, slot: number): void {
  for (let field = wordsPerSlot - 1; field >= 0; field -= 1) {
    if (field !== ownerSlot.epoch) store(words, ownerWord(slot, field), 0);
  }
}
