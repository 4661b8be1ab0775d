/** Append: in place when the block has room (the selector commits), otherwise into a larger block as a replacement. */

import { crc32 } from '../base/checksum.ts';
import { fail } from '../errors.ts';
import { copyTargetOf, type Ref } from '../memory/region.ts';
import { copyInto, moveWithin, peek, poke, type Words } from '../memory/words.ts';
import { commitBytes, noteChange } from './commit.ts';
import { bump, counter } from './counters.ts';
import { elementTypes } from './element.ts';
import {
  byteOf,
  commitSlot,
  committed,
  expiresAtMs,
  field,
  parked,
  segmentOf,
  selectorMax,
  trait,
  wordOf,
} from './entry.ts';
import {
  admitContext,
  checkVersion,
  freePayload,
  type PartSpec,
  publish,
  reservePayload,
} from './publish.ts';
import { fillPayload } from './put.ts';
import { bytesOfEntry, checksumOfCopy } from './payload.ts';
import { freeParked } from './parked.ts';
import type { Store } from './store.ts';
import { encodeTag, tagTexts } from './tags.ts';

/** Appending to a full block makes the new one this much larger than needed: amortised O(1) copies per byte. */
const growthFactor = 1.5;

/**
 * Extends the part that `store.key` names; creates it by `spec` when absent. The bytes are copied under the pen: where they go depends on what
 * is there.
 * @returns the version
 * @throws element_type_mismatch, version_conflict, value_too_large, pool_full, pool_busy: nothing has changed
 */
export function append(store: Store, spec: PartSpec, bytes: Uint8Array): number {
  store.pen.take();
  try {
    const ref = store.findFresh();
    checkVersion(store, ref, spec.ifVersion);
    return ref === 0 ? create(store, spec, bytes) : extendPart(store, spec, ref, bytes);
  } finally {
    store.pen.give();
  }
}

function create(store: Store, spec: PartSpec, bytes: Uint8Array): number {
  admitContext(store, 0);
  const payload = reservePayload(store, spec.kind, bytes.length);
  try {
    fillPayload(store, payload, bytes);
    const version = publish(store, spec, payload, 0);
    bump(store.control, store.countersAt + counter.puts, 1);
    return version;
  } catch (error) {
    freePayload(store, spec, payload);
    throw error;
  }
}

function extendPart(store: Store, spec: PartSpec, ref: Ref, bytes: Uint8Array): number {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  const element = (peek(words, at + field.traits) >>> trait.elementShift) & trait.elementMask;
  if (element !== spec.element) {
    const has = elementTypes[element] as string;
    fail(
      'element_type_mismatch',
      `The part holds ${has}; got ${String(elementTypes[spec.element])}.`,
    );
  }
  store.protectedEntry = ref;
  try {
    store.lowerTier?.replacing(ref);
    const length = peek(words, committed(words, at) + commitSlot.length);
    const fits = length + bytes.length <= peek(words, at + field.blockBytes);
    const inPlace =
      fits && peek(words, at + field.selector) < selectorMax && isIdle(store, words, at);
    const version = inPlace
      ? extend(store, words, at, length, bytes)
      : regrow(store, ref, words, at, bytes);
    bump(store.control, store.countersAt + counter.appends, 1);
    return version;
  } finally {
    store.protectedEntry = 0;
  }
}

/** True when the idle slot may be written: nothing waits in it for its leases to end. */
function isIdle(store: Store, words: Words, at: number): boolean {
  if (!store.isLeased(words, at)) freeParked(store, words, at);
  return parked(words, at) === 0;
}

function extend(store: Store, words: Words, at: number, length: number, bytes: Uint8Array): number {
  const from = committed(words, at);
  const payload = peek(words, from + commitSlot.ref);
  const target = copyTargetOf(segmentOf(store.region, payload));
  const to = byteOf(store.region, payload) + length;
  if (length < 0 || to + bytes.length > target.length) {
    fail('pool_corrupt', `A part claims ${length} bytes at reference ${payload}.`);
  }
  if (bytes.length > 0) copyInto(target, to, bytes);
  const checksummed = (peek(words, at + field.traits) & trait.checksummed) !== 0;
  const sum = peek(words, from + commitSlot.crc32);
  const crc = checksummed ? checksumOfCopy(bytes, target, to, sum) : 0;
  commitBytes(words, at, payload, length + bytes.length, crc);
  return noteChange(store, words, at, bytes.length, bytes.length);
}

function regrow(store: Store, ref: Ref, words: Words, at: number, bytes: Uint8Array): number {
  const old = bytesOfEntry(store.region, words, at);
  const sizeBytes = old.length + bytes.length;
  const spec = specOf(store, words, at);
  const preferred = Math.min(Math.ceil(sizeBytes * growthFactor), store.maxPartBytes);
  const payload = reservePayload(store, spec.kind, sizeBytes, Math.max(sizeBytes, preferred));
  try {
    const { bytes: target } = segmentOf(store.region, payload.ref);
    const to = byteOf(store.region, payload.ref);
    copyBlock(target, to, old);
    copyInto(copyTargetOf(segmentOf(store.region, payload.ref)), to + old.length, bytes);
    const added = target.subarray(to + old.length, to + sizeBytes);
    payload.crc32 = crcOfBoth(store, words, at, added);
    const uses = peek(words, at + field.uses);
    const hints = peek(words, at + field.hints);
    const version = publish(store, spec, payload, ref);
    inherit(store, uses, hints);
    return version;
  } catch (error) {
    freePayload(store, spec, payload);
    throw error;
  }
}

function copyBlock(target: Uint8Array, to: number, old: Uint8Array): void {
  if (target.buffer !== old.buffer) {
    copyInto(target, to, old);
    return;
  }
  const from = old.byteOffset - target.byteOffset;
  moveWithin(target, to, from, from + old.length);
}

/** Continues the running checksum; takes the first one of a part that had none. */
function crcOfBoth(store: Store, words: Words, at: number, bytes: Uint8Array): number | undefined {
  if ((peek(words, at + field.traits) & trait.checksummed) !== 0) {
    return crc32(bytes, peek(words, committed(words, at) + commitSlot.crc32));
  }
  return store.options.checksums
    ? crc32(bytes, crc32(bytesOfEntry(store.region, words, at)))
    : undefined;
}

/** Carries what use has taught over to the larger entry. */
function inherit(store: Store, uses: number, hints: number): void {
  const ref = store.find();
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  poke(words, at + field.uses, uses);
  poke(words, at + field.hints, hints);
}

/** What an entry was written with. */
function specOf(store: Store, words: Words, at: number): PartSpec {
  const traits = peek(words, at + field.traits);
  return {
    kind: traits & trait.kindMask,
    element: (traits >>> trait.elementShift) & trait.elementMask,
    pinned: (traits & trait.pinned) !== 0,
    sensitive: (traits & trait.sensitive) !== 0,
    expiresAtMs: expiresAtMs(words, at),
    tags: tagTexts(store, words, at).map((text) => encodeTag(store, text)),
    ifVersion: undefined,
    checkedEpoch: peek(words, at + field.checkedEpoch),
    returning: undefined,
  };
}
