/** How a part goes: retired by one store, unlinked from every index, and freed when its last lease ends. */

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
  store.parts.remove(peek(words, at + field.hashLow), ref);
  unlinkContext(store, ref);
  countPart(store, -1, -lengthOf(words, at), isPinned(words, at) ? -1 : 0);
  settle(store, ref, words, at);
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

function setRetired(store: Store, ref: Ref, words: Words, at: number, reason: RemovalReason): void {
  tell(store, ref, words, at, reason);
  if (reason !== 'replaced') store.lowerTier?.leaving(ref, words, at, reason);
  storeWord(words, at + field.state, (peek(words, at + field.state) & ~stateMask) | state.retired);
  const cell = reasonCounter[reason];
  if (cell !== undefined) bump(store.control, store.countersAt + cell, 1);
}

/** Frees a retired part unless it is leased. */
function settle(store: Store, ref: Ref, words: Words, at: number): void {
  dropTags(store, words, at);
  if (!store.isLeased(words, at)) {
    dispose(store, ref);
    return;
  }
  awaitLeases(store, ref);
}

/** Notes a retired entry whose leases will end. Its place is kept in the link that it no longer needs. */
export function awaitLeases(store: Store, ref: Ref): void {
  const { words } = segmentOf(store.region, ref);
  poke(words, wordOf(store.region, ref) + field.previous, store.retired.length);
  store.retired.push(ref);
  poke(store.control, store.controlAt + control.retiredParts, store.retired.length);
}

/** Forgets an entry that may be awaited, in one step however many are. */
function forgetAwaited(store: Store, ref: Ref, words: Words, at: number): void {
  const { retired } = store;
  const place = peek(words, at + field.previous);
  if (retired[place] !== ref) return;
  const last = retired.pop() as Ref;
  if (last !== ref) {
    retired[place] = last;
    poke(segmentOf(store.region, last).words, wordOf(store.region, last) + field.previous, place);
  }
  poke(store.control, store.controlAt + control.retiredParts, retired.length);
}

function lengthOf(words: Words, at: number): number {
  return peek(words, committed(words, at) + commitSlot.length);
}

function isPinned(words: Words, at: number): boolean {
  return (peek(words, at + field.traits) & trait.pinned) !== 0;
}

/** Frees everything that a retired entry holds, and the entry. */
export function dispose(store: Store, ref: Ref): void {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  const traits = peek(words, at + field.traits);
  const payload = peek(words, committed(words, at) + commitSlot.ref);
  const blockBytes = peek(words, at + field.blockBytes);
  freeParked(store, ref, words, at);
  if (payload !== 0) {
    if ((traits & trait.sensitive) !== 0) wipe(store, payload, blockBytes);
    store.allocator.free(payload, traits & trait.kindMask);
  }
  const keyRef = peek(words, at + field.keyRef);
  if (keyRef !== 0) store.allocator.free(keyRef, metadataKind);
  forgetAwaited(store, ref, words, at);
  store.entries.release(ref);
  store.hooks.refund(kinds[traits & trait.kindMask] as KindName, blockBytes);
}

/** Frees retired parts, and bytes that were replaced, whose leases of other threads have ended. @returns how many */
export function sweepRetired(store: Store): number {
  let freed = sweepParked(store);
  for (let i = store.retired.length - 1; i >= 0; i--) {
    const ref = store.retired[i] as Ref;
    const { words } = segmentOf(store.region, ref);
    if (store.isLeased(words, wordOf(store.region, ref))) continue;
    dispose(store, ref);
    freed++;
  }
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
