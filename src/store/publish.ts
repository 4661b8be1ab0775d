/**
 * How a part comes to be: everything is allocated and written first, then one store of the entry's state makes it live. Before that
 * store a crash leaves the old part, after it the new one.
 */

import { usableBytes } from '../alloc/classes.ts';
import { kinds, metadataKind, type Kind, type KindName } from '../alloc/kind.ts';
import { fail, hasCode } from '../errors.ts';
import { control } from '../memory/layout.ts';
import type { Ref } from '../memory/region.ts';
import { peek, poke, store as storeWord } from '../memory/words.ts';
import { headOf, linkContext, relinkContext } from './context-chain.ts';
import { bump, counter, readCell, writeCell } from './counters.ts';
import {
  commitSlot,
  commitStride,
  field,
  segmentOf,
  setExpiresAt,
  state,
  stateMask,
  tierMask,
  traitsOf,
  versionOf,
  wordOf,
} from './entry.ts';
import { inlineKeyWords, readNames } from './keys.ts';
import { wipe } from './payload.ts';
import { countPart, retireReplaced } from './remove.ts';
import { needsEntry, replaceInPlace } from './replace.ts';
import type { Store } from './store.ts';
import { keepTags, linkTags, makeTags, type Tag } from './tags.ts';

/** What is known of a part before its bytes are written. */
export interface PartSpec {
  readonly kind: Kind;
  /** Index into elementTypes. */
  readonly element: number;
  readonly pinned: boolean;
  readonly sensitive: boolean;
  /** Milliseconds since 1970; 0: never. */
  readonly expiresAtMs: number;
  readonly tags: readonly Tag[];
  readonly ifVersion: number | undefined;
  /** Epoch in which the bytes were verified; undefined: they are new. Bytes that are only copied stay as suspect as they were. */
  readonly checkedEpoch: number | undefined;
  /** A part that comes back from another tier, as it was. */
  readonly returning: Returning | undefined;
}

export interface Returning {
  readonly version: number;
  /** Asked under the pen, just before it is there. `old`: what is there now, or 0. */
  mayCome(old: Ref): boolean;
}

/** Bytes that are in pool memory and not yet a part. */
export interface Payload {
  /** 0 for an empty part, and from when it is a part's. */
  ref: Ref;
  readonly blockBytes: number;
  sizeBytes: number;
  /** undefined: no checksum is taken. */
  crc32: number | undefined;
}

/** Versions per millisecond of the hybrid clock: 2^53 lasts until 2109. */
export const versionsPerMs = 2048;

/** Parts evicted at most for room in an index that cannot grow. */
const indexEvictions = 128;

/**
 * What `store.key` names may be below memory: whatever was asked before the pen was taken, it may have gone there since. By who holds the pen.
 * @throws version_conflict when the current version of `ref` (0: not in memory) is not the one asked for; part_corrupt
 */
export function checkVersion(store: Store, ref: Ref, ifVersion: number | undefined): void {
  if (ifVersion === undefined) return;
  const current =
    ref === 0
      ? versionBelow(store)
      : versionOf(segmentOf(store.region, ref).words, wordOf(store.region, ref));
  if (current === ifVersion) return;
  bump(store.control, store.countersAt + counter.versionConflicts, 1);
  const found = current === 0 ? 'there is no such part' : `the current version is ${current}`;
  fail('version_conflict', `Expected version ${ifVersion}, but ${found}.`);
}

/** The version that the tier below has of the part that `store.key` names, which is not in memory; 0: none. By who holds the pen. @throws part_corrupt */
export function versionBelow({ key, lowerTier }: Store): number {
  if (lowerTier === undefined) return 0;
  const { id, part } = readNames(key.words, key.bytes, 0);
  return lowerTier.versionBelow(id, part);
}

/** Asks the budget when the part that `store.key` names, which is not there, would make a context. @throws budget_exceeded */
export function admitContext(store: Store, old: Ref): void {
  if (old !== 0 || !store.hooks.countsContexts) return;
  if (headOf(store, store.key.contextTag()) !== 0) return;
  store.hooks.admitContext(peek(store.control, store.controlAt + control.contexts));
}

/**
 * Memory for `sizeBytes`, or better for `preferredBytes`; budget included.
 * @throws value_too_large, budget_exceeded, pool_full
 */
export function reservePayload(
  store: Store,
  kind: Kind,
  sizeBytes: number,
  preferredBytes: number = sizeBytes,
): Payload {
  if (sizeBytes > store.maxPartBytes) {
    fail(
      'value_too_large',
      `${sizeBytes} bytes; this pool takes parts of at most ${store.maxPartBytes}.`,
    );
  }
  if (sizeBytes === 0) return emptyPayload();
  let givenBytes = preferredBytes;
  let ref = store.room.allocate(kind, preferredBytes);
  if (ref === 0 && preferredBytes !== sizeBytes) {
    givenBytes = sizeBytes;
    ref = store.room.allocate(kind, sizeBytes);
  }
  if (ref === 0) poolFull(store, sizeBytes);
  return charge(store, kind, ref, sizeBytes, usableBytes(givenBytes));
}

/** Memory for `sizeBytes` from what is free: evicts nothing. `undefined` when memory or budget does not allow it. */
export function reserveFree(store: Store, kind: Kind, sizeBytes: number): Payload | undefined {
  if (sizeBytes === 0) return emptyPayload();
  const ref = store.allocator.allocate(kind, sizeBytes);
  return ref === 0
    ? undefined
    : chargeIfAllowed(store, kind, ref, sizeBytes, usableBytes(sizeBytes));
}

/** Takes a block out of the budget; `undefined` when that does not allow it: the block is free again. */
export function chargeIfAllowed(
  store: Store,
  kind: Kind,
  ref: Ref,
  sizeBytes: number,
  blockBytes: number,
): Payload | undefined {
  try {
    return charge(store, kind, ref, sizeBytes, blockBytes);
  } catch (error) {
    if (hasCode(error, 'budget_exceeded')) return undefined;
    throw error;
  }
}

/** Takes a block out of the budget. @throws budget_exceeded: the block is free again */
function charge(
  store: Store,
  kind: Kind,
  ref: Ref,
  sizeBytes: number,
  blockBytes: number,
): Payload {
  try {
    store.hooks.reserve(kinds[kind] as KindName, blockBytes);
  } catch (error) {
    store.allocator.free(ref, kind);
    throw error;
  }
  return { ref, blockBytes, sizeBytes, crc32: undefined };
}

function emptyPayload(): Payload {
  return { ref: 0, blockBytes: 0, sizeBytes: 0, crc32: undefined };
}

/** Gives back what `reservePayload` gave. */
export function freePayload(
  store: Store,
  spec: { readonly kind: Kind; readonly sensitive: boolean },
  payload: Payload,
): void {
  if (payload.ref === 0) return;
  if (spec.sensitive) wipe(store, payload.ref, payload.blockBytes);
  store.allocator.free(payload.ref, spec.kind);
  store.hooks.refund(kinds[spec.kind] as KindName, payload.blockBytes);
}

/**
 * Makes the payload the part that `store.key` names, in place of `old` (0: none). By who holds the pen.
 * @returns the version
 * @throws pool_full: nothing has changed, the payload is the caller's; io_failed and whatever nobody expects behind the commit: the part is there, the
 * payload is its own, and the store is brought in order with the next change
 */
export function publish(store: Store, spec: PartSpec, payload: Payload, old: Ref): number {
  if (old !== 0) store.lowerTier?.replacing(old);
  const inPlace = old === 0 ? needsEntry : replaceInPlace(store, spec, payload, old);
  if (inPlace !== needsEntry) return inPlace;
  const entry = prepareEntry(store, spec, payload, old);
  const { words } = segmentOf(store.region, entry);
  const at = wordOf(store.region, entry);
  if (payload.ref !== 0) store.allocator.keep(payload.ref);
  const keyRef = peek(words, at + field.keyRef);
  if (keyRef !== 0) store.allocator.keep(keyRef);
  keepTags(store, peek(words, at + field.tagRef));
  // The commit: recovery takes live entries for the truth, and of two with one key the higher version.
  storeWord(words, at + field.state, (peek(words, at + field.state) & ~stateMask) | state.live);
  payload.ref = 0;
  try {
    takeItsPlace(store, spec, payload.sizeBytes, old, entry);
    linkTags(store, peek(words, at + field.tagRef));
  } catch (error) {
    store.pen.breaks();
    throw error;
  }
  store.touch(words, at);
  bump(store.control, store.countersAt + counter.bytesWritten, payload.sizeBytes);
  return versionOf(words, at);
}

/** Puts a live entry into index, context and counts, in place of `old` (0: none). */
function takeItsPlace(store: Store, spec: PartSpec, sizeBytes: number, old: Ref, entry: Ref): void {
  if (old === 0) {
    store.parts.insert(store.key.low, entry);
    linkContext(store, entry, store.key.contextTag());
    countPart(store, 1, sizeBytes, spec.pinned ? 1 : 0);
    return;
  }
  store.parts.replace(store.key.low, old, entry);
  relinkContext(store, old, entry);
  retireReplaced(store, old, sizeBytes, spec.pinned);
}

/** A claimed entry with everything written that needs memory. @throws pool_full, pool_busy: nothing is left of it */
function prepareEntry(store: Store, spec: PartSpec, payload: Payload, old: Ref): Ref {
  const entry = hasIndexRoom(store, spec, old) ? claimEntry(store) : 0;
  if (entry === 0) poolFull(store, payload.sizeBytes);
  const { words } = segmentOf(store.region, entry);
  const at = wordOf(store.region, entry);
  let keyRef = 0;
  let tagRef: Ref | undefined;
  try {
    keyRef = writeKey(store, entry);
    if (keyRef >= 0) tagRef = makeTags(store, entry, spec.tags);
    if (tagRef === undefined) poolFull(store, payload.sizeBytes);
  } catch (error) {
    if (keyRef > 0) store.allocator.free(keyRef, metadataKind);
    store.entries.release(entry);
    throw error;
  }
  const generation = spec.returning?.version ?? nextVersion(store, old);
  if (spec.returning !== undefined) raiseVersion(store, generation);
  poke(words, at + field.hashLow, store.key.low);
  poke(words, at + field.hashHigh, store.key.high);
  poke(words, at + field.traits, traitsOf(spec, payload.crc32 !== undefined));
  poke(words, at + field.generationLow, generation | 0);
  poke(words, at + field.generationHigh, Math.floor(generation / 0x1_0000_0000));
  poke(words, at + field.origin, tierMask.hot | tiersOf(store, old));
  poke(words, at + field.homeEpoch, 0);
  poke(words, at + field.commit, payload.ref);
  poke(words, at + field.commit + 1, payload.sizeBytes);
  poke(words, at + field.commit + 2, payload.crc32 ?? 0);
  poke(words, at + field.commit + commitStride + commitSlot.ref, 0);
  poke(words, at + field.selector, 0);
  poke(words, at + field.checkedEpoch, spec.checkedEpoch ?? store.epoch);
  poke(words, at + field.uses, 0);
  poke(words, at + field.blockBytes, payload.blockBytes);
  setExpiresAt(words, at, spec.expiresAtMs);
  poke(words, at + field.persisted, 0);
  poke(words, at + field.sealRef, 0);
  poke(words, at + field.tagRef, tagRef);
  poke(words, at + field.keyRef, keyRef);
  poke(words, at + field.hints, 0);
  return entry;
}

/** An entry: a free one, one of a new chunk, or that of a part which goes for it. */
function claimEntry(store: Store): Ref {
  let entry = store.entries.claim();
  while (entry === 0 && store.evictor.evictOne()) entry = store.entries.claim();
  if (entry !== 0) return entry;
  store.room.insist();
  return store.entries.claim();
}

/** A replacement takes the places of its predecessor; only its tags may need new ones. A full index makes room like full memory. */
function hasIndexRoom(store: Store, spec: PartSpec, old: Ref): boolean {
  for (let evictions = 0; evictions < indexEvictions; evictions++) {
    const parts = old !== 0 || (store.parts.reserve(1) && store.contexts.reserve(1));
    if (parts && (spec.tags.length === 0 || store.tags.reserve(spec.tags.length))) return true;
    if (!store.evictor.evictOne()) return false;
  }
  return false;
}

/** Writes the key into the entry, or into a block of its own: its reference, 0 when inline, -1 when memory is exhausted. */
function writeKey(store: Store, entry: Ref): Ref {
  const { key, region } = store;
  if (key.length <= inlineKeyWords) {
    key.write(segmentOf(region, entry).words, wordOf(region, entry) + field.key);
    return 0;
  }
  const ref = store.room.allocateMetadata(key.length << 2);
  if (ref === 0) return -1;
  key.write(segmentOf(region, ref).words, wordOf(region, ref));
  return ref;
}

/** Hybrid clock: time where it runs ahead, a counter where it does not; always above what was given before. */
function nextVersion(store: Store, old: Ref): number {
  const cell = store.controlAt + control.versionLow;
  const oldVersion =
    old === 0 ? 0 : versionOf(segmentOf(store.region, old).words, wordOf(store.region, old));
  const last = Math.max(readCell(store.control, cell), oldVersion);
  const version = Math.max(last + 1, Math.floor(store.options.clock.nowMs()) * versionsPerMs);
  writeCell(store.control, cell, version);
  return version;
}

/** What is written next is above this version. */
export function raiseVersion(store: Store, version: number): void {
  const cell = store.controlAt + control.versionLow;
  if (version > readCell(store.control, cell)) writeCell(store.control, cell, version);
}

/** Where else records of the part that is replaced may be: they are still there. */
function tiersOf(store: Store, old: Ref): number {
  if (old === 0) return 0;
  const at = wordOf(store.region, old) + field.origin;
  return peek(segmentOf(store.region, old).words, at) & tierMask.disk;
}

/** Counts and throws `pool_full`. */
export function poolFull(store: Store, sizeBytes: number): never {
  bump(store.control, store.countersAt + counter.poolFull, 1);
  const { parts, pinnedParts, retiredParts } = control;
  const at = (which: number): number => peek(store.control, store.controlAt + which);
  const { usedBytes, freeBytes } = store.allocator; // its statistics walk all memory: too much for a refusal
  fail(
    'pool_full',
    `No room for ${sizeBytes} bytes: ${usedBytes} bytes are in use by ${at(parts)} parts (${at(pinnedParts)} pinned, ` +
      `${at(retiredParts)} replaced but leased), ${freeBytes} are free and too few or in pieces, and nothing else may go.`,
  );
}
