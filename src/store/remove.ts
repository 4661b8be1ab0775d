/** How a part goes: retired by one store, unlinked from every index, and freed when its last lease ends. By who holds the pen. */

import { kinds, metadataKind, type KindName } from '../alloc/kind.ts';
import { control } from '../memory/layout.ts';
import type { Ref } from '../memory/region.ts';
import { peek, poke, store as storeWord, type Words } from '../memory/words.ts';
import { unlinkContext } from './context-chain.ts';
import { bump, counter, readCell, writeCell } from './counters.ts';
import {
  commitSlot,
  committed,
  field,
  segmentOf,
  state,
  stateMask,
  trait,
  versionOf,
  wordOf,
} from './entry.ts';
import type { RemovalReason } from './hooks.ts';
import { readNames } from './keys.ts';
import { freeParked, sweepParked } from './parked.ts';
import { bytesOfEntry, wipe } from './payload.ts';
import type { Store } from './store.ts';
import { dropTags } from './tags.ts';

const reasonCounter: Record<RemovalReason, number | undefined> = {
  replaced: undefined,
  deleted: counter.deletes,
  evicted: counter.evictions,
  expired: counter.expirations,
  invalidated: counter.invalidations,
  demoted: counter.demotions,
};

const auditAction = {
  replaced: undefined,
  deleted: 'delete',
  evicted: 'evict',
  expired: 'expire',
  invalidated: 'invalidate',
  demoted: undefined,
} as const;

/** Takes a live part away. Its bytes stay until its last lease ends. */
export function retire(store: Store, ref: Ref, reason: RemovalReason): void {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  setRetired(store, ref, words, at, reason);
  try {
    unlink(store, ref, words, at);
    settle(store, ref, words, at);
  } catch (error) {
    store.pen.breaks();
    throw error;
  }
}

/** Takes a part out of the index, its context and the counts. */
export function unlink(store: Store, ref: Ref, words: Words, at: number): void {
  store.parts.remove(peek(words, at + field.hashLow), ref);
  unlinkContext(store, ref);
  countPart(store, -1, -lengthOf(words, at), isPinned(words, at) ? -1 : 0);
}

/** The same for a part whose places in the index and in the counts its successor takes. */
export function retireReplaced(
  store: Store,
  ref: Ref,
  successorBytes: number,
  successorPinned: boolean,
): void {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  setRetired(store, ref, words, at, 'replaced');
  const pinned = Number(successorPinned) - Number(isPinned(words, at));
  countPart(store, 0, successorBytes - lengthOf(words, at), pinned);
  settle(store, ref, words, at);
}

export function setRetired(
  store: Store,
  ref: Ref,
  words: Words,
  at: number,
  reason: RemovalReason,
): void {
  tell(store, ref, words, at, reason);
  if (reason !== 'replaced') store.lowerTier?.leaving(ref, words, at, reason);
  storeWord(words, at + field.state, (peek(words, at + field.state) & ~stateMask) | state.retired);
  const cell = reasonCounter[reason];
  if (cell !== undefined) bump(store.control, store.countersAt + cell, 1);
}

/** Frees a retired part, or lets it wait for its leases. */
export function settle(store: Store, ref: Ref, words: Words, at: number): void {
  dropTags(store, words, at);
  if (store.isLeased(words, at)) store.retired.add(ref, words, at);
  else dispose(store, ref, words, at);
}

/** Frees a retired part that has waited for its leases. */
function disposeAwaited(store: Store, ref: Ref, words: Words, at: number): void {
  store.retired.remove(words, at);
  dispose(store, ref, words, at);
}

function lengthOf(words: Words, at: number): number {
  return peek(words, committed(words, at) + commitSlot.length);
}

function isPinned(words: Words, at: number): boolean {
  return (peek(words, at + field.traits) & trait.pinned) !== 0;
}

/** Frees everything that a retired entry holds, and the entry. */
function dispose(store: Store, ref: Ref, words: Words, at: number): void {
  const traits = peek(words, at + field.traits);
  const payload = peek(words, committed(words, at) + commitSlot.ref);
  const blockBytes = peek(words, at + field.blockBytes);
  freeParked(store, words, at);
  if (payload !== 0) {
    if ((traits & trait.sensitive) !== 0) wipe(store, payload, blockBytes);
    store.allocator.free(payload, traits & trait.kindMask);
  }
  const keyRef = peek(words, at + field.keyRef);
  if (keyRef !== 0) store.allocator.free(keyRef, metadataKind);
  store.entries.release(ref);
  store.hooks.refund(kinds[traits & trait.kindMask] as KindName, blockBytes);
}

/** Frees a retired entry after its last lease, if the pen is at hand: else the next sweep does. @param life its state word */
export function releaseRetired(
  store: Store,
  ref: Ref,
  words: Words,
  at: number,
  life: number,
): void {
  if (store.isLeased(words, at) || !store.pen.tryTake()) return;
  try {
    const isSame = peek(words, at + field.state) === life;
    if (isSame && !store.isLeased(words, at)) disposeAwaited(store, ref, words, at);
  } finally {
    store.pen.give();
  }
}

/** Takes an expired part away, if the pen is at hand: it is hidden all the same. @param life its state word */
export function removeExpired(
  store: Store,
  ref: Ref,
  words: Words,
  at: number,
  life: number,
): void {
  if (store.pen.isHeld) {
    retire(store, ref, 'expired');
  } else if (store.pen.tryTake()) {
    try {
      const isSame = peek(words, at + field.state) === life;
      if (isSame && store.isExpired(words, at)) retire(store, ref, 'expired');
    } finally {
      store.pen.give();
    }
  }
}

/** Frees retired parts, and bytes that were replaced, whose leases have ended. @returns how many */
export function sweepRetired(store: Store): number {
  let freed = sweepParked(store);
  store.retired.each((ref, words, at) => {
    if (store.isLeased(words, at)) return;
    disposeAwaited(store, ref, words, at);
    freed++;
  });
  return freed;
}

/** Adjusts the counts of live parts. */
export function countPart(store: Store, parts: number, bytes: number, pinned: number): void {
  const { control: words, controlAt } = store;
  if (parts !== 0) addTo(words, controlAt + control.parts, parts);
  if (pinned !== 0) addTo(words, controlAt + control.pinnedParts, pinned);
  if (bytes === 0) return;
  const cell = controlAt + control.partBytesLow;
  writeCell(words, cell, readCell(words, cell) + bytes);
}

function addTo(words: Words, at: number, by: number): void {
  poke(words, at, peek(words, at) + by);
}

/** Names of an entry's context and part. */
export function namesOf(store: Store, ref: Ref): { readonly id: string; readonly part: string } {
  const { words } = segmentOf(store.region, ref);
  const keyRef = peek(words, wordOf(store.region, ref) + field.keyRef);
  const at = keyRef === 0 ? wordOf(store.region, ref) + field.key : wordOf(store.region, keyRef);
  const segment = segmentOf(store.region, keyRef === 0 ? ref : keyRef);
  return readNames(segment.words, segment.bytes, at);
}

function tell(store: Store, ref: Ref, words: Words, at: number, reason: RemovalReason): void {
  const { hooks } = store;
  const { audit, tierSink } = hooks;
  if (audit === undefined && tierSink === undefined) return;
  const { id, part } = namesOf(store, ref);
  const version = versionOf(words, at);
  const action = auditAction[reason];
  if (action !== undefined) hooks.record(action, id, part, version);
  if (tierSink === undefined) return;
  hooks.leaving(id, part, version, bytesOfEntry(store.region, words, at), reason);
}
