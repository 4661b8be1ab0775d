/**
 * Recovery after the last owner died: the entries are the truth, everything else is rebuilt from them.
 *
 * 1. The allocator frees what was allocated and never published, and repairs its page table.
 * 2. The tables of the index are emptied in place and filled from the live entries; of two with one key the higher version stays.
 * 3. A deletion of a context that was under way (intent record) is completed.
 * 4. Published memory that no live entry reaches is freed.
 *
 * By who holds the pen. Where others live on, recover-beside.ts does the same under their eyes.
 *
 * A crash at any point of it is followed by the same recovery from the start: nothing it reads is destroyed before the end.
 */

import { kinds, metadataKind, type Kind } from '../alloc/kind.ts';
import type { Allocator, Marks } from '../alloc/api.ts';
import { fail } from '../errors.ts';
import { control, controlByte, ownersMaxLimit } from '../memory/layout.ts';
import { ownerSlot, ownerWord } from '../memory/owners.ts';
import type { Ref, Region, Segment } from '../memory/region.ts';
import { and, or, peek, poke, store as storeWord, type Words } from '../memory/words.ts';
import { headOf, linkContext, nextOf } from './context-chain.ts';
import { intent, isLive, removeContext } from './contexts.ts';
import { readCell, writeCell } from './counters.ts';
import { elementTypes } from './element.ts';
import {
  commitSlot,
  committed,
  field,
  idle,
  parked,
  segmentOf,
  state,
  stateMask,
  trait,
  versionOf,
  wordOf,
} from './entry.ts';
import { inlineKeyWords } from './keys.ts';
import { begin } from './epoch.ts';
import { hasOpened } from './opened.ts';
import type { Pen } from './pen.ts';
import { RefIndex } from './ref-index.ts';
import { Table, tableBytes } from './ref-table.ts';
import { countPart, setRetired, settle, unlink } from './remove.ts';
import type { StoreOptions } from './options.ts';
import { Store } from './store.ts';
import { dropTags, linkTags, nextTagOf, node, tagsMax } from './tags.ts';

export interface RecoveryReport {
  /** Live parts found. */
  readonly parts: number;
  /** Live entries whose structure is impossible: dropped. Zero after a process crash. */
  readonly dropped: number;
  readonly freedBlocks: number;
  readonly freedBytes: number;
}

/** Brings a region in order; the caller opens it as one that was closed. Nothing was reserved of a new budget: nothing is refunded. */
export function recoverStore(
  region: Region,
  allocator: Allocator,
  options: StoreOptions,
  pen: Pen,
): RecoveryReport {
  const unpublished = allocator.recover();
  // Odd until the new epoch begins: threads of other processes that have the pool joined wait for the tables.
  or((region.segments[0] as Segment).words, (controlByte >>> 2) + control.indexEpoch, 1);
  emptyTables(region, allocator);
  const { budget: _, ...hooks } = options.hooks;
  const store = new Store(region, allocator, { ...options, hooks }, pen);
  const { dropped, superseded } = rebuild(store);
  settleSuperseded(store, superseded);
  finishIntents(store);
  const unreachable = allocator.sweep(reachable(store));
  allocator.leave();
  begin(store, true);
  return {
    parts: peek(store.control, store.controlAt + control.parts),
    dropped,
    freedBlocks: unpublished.freedBlocks + unreachable.freedBlocks,
    freedBytes: unpublished.freedBytes + unreachable.freedBytes,
  };
}

/** Everything that live entries, retired ones and the store itself hold. */
export function reachable(store: Store): Marks {
  const marks = store.allocator.newMarks();
  for (const ref of store.entries.chunkRefs) marks.add(ref);
  for (const index of [store.parts, store.contexts, store.tags]) {
    for (const ref of index.blocks) marks.add(ref);
  }
  for (let ordinal = 0; ordinal < store.entries.count; ordinal++) {
    const ref = store.entries.at(ordinal);
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    if (isHeld(words, at)) markHeld(store, marks, words, at);
  }
  return marks;
}

/** @returns false when something is held twice, or no allocation */
function markHeld(store: Store, marks: Marks, words: Words, at: number): boolean {
  const mark = (ref: Ref): boolean => store.allocator.isLive(ref) && marks.add(ref);
  const payload = peek(words, committed(words, at) + commitSlot.ref);
  let unique = payload === 0 || mark(payload);
  const keyRef = peek(words, at + field.keyRef);
  if (keyRef !== 0) unique = mark(keyRef) && unique;
  const waiting = parked(words, at);
  if (waiting !== 0) unique = mark(waiting) && unique;
  let tag = peek(words, at + field.tagRef);
  for (; unique && tag !== 0; tag = nextTagOf(store, tag)) unique = mark(tag);
  return unique;
}

export function emptyTables(region: Region, allocator: Allocator): void {
  const { superblock } = region;
  const { rootParts, rootContexts, rootTags } = superblock;
  region.commit({
    rootParts: emptyTable(region, allocator, rootParts),
    rootPartsOld: 0,
    rootContexts: emptyTable(region, allocator, rootContexts),
    rootContextsOld: 0,
    rootTags: emptyTable(region, allocator, rootTags),
    rootTagsOld: 0,
  });
}

/** Empties a table in place: it was large enough for every entry before the crash. */
function emptyTable(region: Region, allocator: Allocator, ref: Ref): Ref {
  if (!allocator.isLive(ref)) return RefIndex.createFirst(region, allocator);
  if (!Table.isAt(region, ref)) return RefIndex.createFirst(region, allocator);
  const { log2 } = new Table(region, ref);
  if (tableBytes(log2) > allocator.sizeOf(ref)) return RefIndex.createFirst(region, allocator);
  Table.format(region, ref, log2);
  return ref;
}

function resetCounts(store: Store): void {
  const { control: words, controlAt } = store;
  for (const name of ['contexts', 'parts', 'pinnedParts'] as const) {
    poke(words, controlAt + control[name], 0);
  }
  store.retired.clear();
  store.parked.clear();
  writeCell(words, controlAt + control.partBytesLow, 0);
  store.entries.forgetFree();
}

interface Rebuilt {
  /** How many live entries were impossible. */
  readonly dropped: number;
  /** Live entries with a successor: they are in no index and no list. */
  readonly superseded: readonly Ref[];
}

/** Indexes every sound live entry and frees all that nobody holds. @throws pool_corrupt */
export function rebuild(store: Store): Rebuilt {
  resetCounts(store);
  const marks = store.allocator.newMarks();
  for (const { ref, sizeBytes } of store.entries.chunks) {
    if (!holds(store, ref, metadataKind, sizeBytes)) {
      fail('pool_corrupt', `The entries at reference ${ref} are in memory that is not theirs.`);
    }
    marks.add(ref);
  }
  for (const index of [store.parts, store.contexts, store.tags]) {
    for (const ref of index.blocks) marks.add(ref);
  }
  const living = livingOwners(store);
  const superseded: Ref[] = [];
  let dropped = 0;
  for (let ordinal = store.entries.count - 1; ordinal >= 0; ordinal--) {
    const ref = store.entries.at(ordinal);
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    if (peek(words, at + field.ordinal) !== ordinal) poke(words, at + field.ordinal, ordinal);
    and(words, at + field.leases, living.low);
    and(words, at + field.leases + 1, living.high);
    settleParked(store, ref, words, at);
    const live = isLive(words, at);
    if (!live && !isAwaited(store, words, at)) {
      store.entries.release(ref);
    } else if (!isSound(store, words, at) || !markHeld(store, marks, words, at)) {
      if (live) dropped++;
      store.entries.release(ref);
    } else if (live) {
      const loser = adopt(store, ref, words, at);
      if (loser !== 0) superseded.push(loser);
    } else {
      store.retired.add(ref, words, at);
    }
  }
  return { dropped, superseded };
}

/** Lets entries go whose successors are found by everybody now. */
export function settleSuperseded(store: Store, refs: readonly Ref[]): void {
  for (const ref of refs) {
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    setRetired(store, ref, words, at, 'replaced');
    settle(store, ref, words, at);
  }
}

/** Bytes that were replaced stay while one who lives has a lease on the entry. */
function settleParked(store: Store, ref: Ref, words: Words, at: number): void {
  const block = parked(words, at);
  if (block === 0) return;
  const kind = peek(words, at + field.traits) & trait.kindMask;
  if (isHeld(words, at) && store.isLeased(words, at) && holds(store, block, kind, 1)) {
    store.parked.add(ref, words, at);
  } else {
    poke(words, idle(words, at) + commitSlot.ref, 0);
  }
}

/** True for an entry whose blocks are its own: live, or retired and waiting. */
function isHeld(words: Words, at: number): boolean {
  const held = peek(words, at + field.state) & stateMask;
  return held === state.live || held === state.retired;
}

/** Lease bits of the owners who live and have the store open. */
function livingOwners({ region }: Store): { readonly low: number; readonly high: number } {
  const bits = [0, 0];
  for (let slot = 0; slot < region.superblock.ownersMax; slot++) {
    if (hasOpened(region, slot))
      bits[slot >>> 5] = (bits[slot >>> 5] as number) | (1 << (slot & 31));
  }
  return { low: bits[0] as number, high: bits[1] as number };
}

/** True for a retired entry that is still leased. It has no tags any more. */
function isAwaited(store: Store, words: Words, at: number): boolean {
  if ((peek(words, at + field.state) & stateMask) !== state.retired) return false;
  poke(words, at + field.tagRef, 0);
  return store.isLeased(words, at);
}

/** Indexes a live entry, unless a higher version of the part is there already. @returns the entry that lost its place, or 0 */
function adopt(store: Store, ref: Ref, words: Words, at: number): Ref {
  const other = store.find();
  if (other !== 0) {
    const otherWords = segmentOf(store.region, other).words;
    const otherAt = wordOf(store.region, other);
    if (versionOf(otherWords, otherAt) > versionOf(words, at)) {
      poke(words, at + field.tagRef, 0); // its nodes are in no list, and will be found unreachable
      return ref;
    }
    unlink(store, other, otherWords, otherAt);
    dropTags(store, otherWords, otherAt);
  }
  store.parts.insert(store.key.low, ref);
  linkContext(store, ref, store.key.contextTag());
  linkTags(store, peek(words, at + field.tagRef));
  const pinned = (peek(words, at + field.traits) & trait.pinned) !== 0;
  countPart(store, 1, peek(words, committed(words, at) + commitSlot.length), pinned ? 1 : 0);
  const cell = store.controlAt + control.versionLow;
  const version = versionOf(words, at);
  if (version > readCell(store.control, cell)) writeCell(store.control, cell, version);
  return other;
}

/** A deletion of a context that was under way is completed. */
export function finishIntents(store: Store): void {
  const words = store.control;
  for (let slot = 0; slot < ownersMaxLimit; slot++) {
    const op = peek(words, ownerWord(slot, ownerSlot.intentOp));
    if (op === intent.deleteContext) {
      finishDelete(store, peek(words, ownerWord(slot, ownerSlot.intentEntry)));
    }
    if (op !== intent.none) storeWord(words, ownerWord(slot, ownerSlot.intentOp), intent.none);
  }
}

function finishDelete(store: Store, entry: Ref): void {
  if (!store.entries.isEntry(entry)) return;
  const { words } = segmentOf(store.region, entry);
  if (!loadKey(store, words, wordOf(store.region, entry))) return;
  const refs: Ref[] = [];
  let ref = headOf(store, store.key.contextTag());
  for (; ref !== 0; ref = nextOf(store, ref)) refs.push(ref);
  // The named entry goes last again: it keeps the key for another recovery.
  refs.sort((a, b) => Number(b === entry) - Number(a === entry));
  if (refs.length > 0) removeContext(store, refs);
}

/** True when an entry's fields are possible; its key is then in `store.key`. */
export function isSound(store: Store, words: Words, at: number): boolean {
  if (!loadKey(store, words, at)) return false;
  if (peek(words, at + field.hashLow) !== store.key.low) return false;
  if (peek(words, at + field.hashHigh) !== store.key.high) return false;
  const traits = peek(words, at + field.traits);
  const element = (traits >>> trait.elementShift) & trait.elementMask;
  if ((traits & trait.kindMask) >= kinds.length || element >= elementTypes.length) return false;
  return isPayloadSound(store, words, at) && areTagsSound(store, words, at);
}

/** Loads an entry's key into `store.key`. */
function loadKey(store: Store, words: Words, at: number): boolean {
  const keyRef = peek(words, at + field.keyRef);
  if (keyRef === 0) {
    return store.key.load(words, at + field.key) && store.key.length <= inlineKeyWords;
  }
  if (!holds(store, keyRef, metadataKind, 4 * (inlineKeyWords + 1))) return false;
  const segment = segmentOf(store.region, keyRef);
  const loaded = store.key.load(segment.words, wordOf(store.region, keyRef));
  return loaded && store.key.length << 2 <= store.allocator.sizeOf(keyRef);
}

function isPayloadSound(store: Store, words: Words, at: number): boolean {
  const slot = committed(words, at);
  const length = peek(words, slot + commitSlot.length);
  const payload = peek(words, slot + commitSlot.ref);
  const blockBytes = peek(words, at + field.blockBytes);
  if (length < 0 || length > blockBytes) return false;
  if (payload === 0) return blockBytes === 0;
  const kind = peek(words, at + field.traits) & trait.kindMask;
  return holds(store, payload, kind, blockBytes);
}

function areTagsSound(store: Store, words: Words, at: number): boolean {
  let count = 0;
  for (let ref = peek(words, at + field.tagRef); ref !== 0; ref = nextTagOf(store, ref)) {
    if (++count > tagsMax || !holds(store, ref, metadataKind, 4 * (node.text + 1))) return false;
    const tagWords = segmentOf(store.region, ref).words;
    const bytes = peek(tagWords, wordOf(store.region, ref) + node.bytes);
    if (bytes < 1 || 4 * node.text + bytes > store.allocator.sizeOf(ref)) return false;
  }
  return true;
}

/** True for a live allocation of that kind and at least that size. */
function holds(store: Store, ref: Ref, kind: Kind, sizeBytes: number): boolean {
  const { allocator } = store;
  return (
    allocator.isLive(ref) && allocator.kindOf(ref) === kind && allocator.sizeOf(ref) >= sizeBytes
  );
}
