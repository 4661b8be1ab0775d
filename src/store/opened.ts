/** Which owners have the store open: they may hold leases and have the pen. An owner that is only about to open holds nothing yet. */

import { fail } from '../errors.ts';
import { ownerSlot, ownerWord } from '../memory/owners.ts';
import type { Region, Segment } from '../memory/region.ts';
import { load, store } from '../memory/words.ts';

/** Says that this owner has the store open. Its slot forgets it when it is given back, and with every new owner. */
export function noteOpened(region: Region): void {
  const { words } = region.segments[0] as Segment;
  const epoch = load(words, ownerWord(region.ownerSlot, ownerSlot.epoch));
  store(words, ownerWord(region.ownerSlot, ownerSlot.opened), epoch);
}

export function noteClosed(region: Region): void {
  const { words } = region.segments[0] as Segment;
  store(words, ownerWord(region.ownerSlot, ownerSlot.opened), 0);
}

/** True when the owner of that slot lives and has the store open. */
export function hasOpened(region: Region, slot: number): boolean {
  const { words } = region.segments[0] as Segment;
  const opened = load(words, ownerWord(slot, ownerSlot.opened));
  if (opened === 0 || opened !== load(words, ownerWord(slot, ownerSlot.epoch))) return false;
  return region.ownerLives(slot);
}

/** True when another owner lives and has the store open. */
export function othersHaveOpened(region: Region): boolean {
  return otherOwner(region) >= 0;
}

/** @throws pool_busy when another owner lives and has the store open */
export function refuseOthers(region: Region): void {
  const slot = otherOwner(region);
  if (slot < 0) return;
  const { words } = region.segments[0] as Segment;
  const pid = load(words, ownerWord(slot, ownerSlot.pid));
  fail('pool_busy', `The pool is in use by process ${pid}.`);
}

/** The slot of one, or -1. */
function otherOwner(region: Region): number {
  for (let slot = 0; slot < region.superblock.ownersMax; slot++) {
    if (slot !== region.ownerSlot && hasOpened(region, slot)) return slot;
  }
  return -1;
}
