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
  type Payload,
  publish,
  reservePayload,
  versionBelow,
} from './publish.ts';
import { fillPayload } from './put.ts';
import { bytesOfEntry, checksumOfCopy } from './payload.ts';
import { type HeldPart, holdEntry } from './hold.ts';
import { freeParked } from './parked.ts';
import { withPen } from './pen.ts';
import type { Store } from './store.ts';
import { encodeTag, tagTexts } from './tags.ts';

/** Appending to a full block makes the new one this much larger than needed: amortised O(1) copies per byte. */
const growthFactor = 1.5;
/** What a part holds of this size on is copied without the pen … */
const asideBytes: number = 64 * 2 ** 10;
/** … unless it has changed so often meanwhile. */
const asideAttempts = 3;

/**
 * Extends the part that `store.key` names; creates it by `spec` when absent. The bytes are copied under the pen, since where they go depends on
 * what is there; but what a large part holds already is copied to its larger block before, and again if it changes meanwhile.
 * @returns the version
 * @throws element_type_mismatch, version_conflict, part_on_disk, value_too_large, pool_full, pool_busy: nothing has changed
 */
export function append(store: Store, spec: PartSpec, bytes: Uint8Array): number {
  for (let attempt = 0; attempt < asideAttempts; attempt++) {
    let large: Large;
    store.pen.take();
    try {
      const ref = largeToGrow(store, spec, bytes);
      if (ref === 0) return appendHeld(store, spec, bytes);
      large = holdLarge(store, ref);
    } finally {
      store.pen.give();
    }
    const version = growAside(store, large, bytes);
    if (version !== undefined) return version;
  }
  return withPen(store, () => appendHeld(store, spec, bytes));
}

/** The part, if it is large and needs a larger block; 0 for any other. */
function largeToGrow(store: Store, spec: PartSpec, bytes: Uint8Array): Ref {
  const ref = store.findFresh();
  if (ref === 0) return 0;
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  const length = peek(words, committed(words, at) + commitSlot.length);
  if (length < asideBytes || length + bytes.length <= peek(words, at + field.blockBytes)) return 0;
  checkVersion(store, ref, spec.ifVersion);
  mustHold(words, at, spec.element);
  return ref;
}

/** Copies a part to a larger block without the pen, and publishes that. @returns undefined when the part changed meanwhile: nothing has */
function growAside(store: Store, large: Large, bytes: Uint8Array): number | undefined {
  const { held, life, selector } = large;
  const { words } = segmentOf(store.region, held.ref);
  const at = wordOf(store.region, held.ref);
  try {
    const grown = grow(store, words, at, held.bytes, bytes);
    let version: number | undefined;
    try {
      version = withPen(store, () => {
        const isSame = peek(words, at + field.state) === life;
        if (!isSame || peek(words, at + field.selector) !== selector) return undefined;
        return publishGrown(store, grown, held.ref, words, at);
      });
    } finally {
      if (version === undefined) freePayload(store, grown, grown.payload);
    }
    return version;
  } finally {
    held.release();
  }
}

/** A part that is leased, and what shows whether it has changed since. */
interface Large {
  readonly held: HeldPart;
  readonly life: number;
  readonly selector: number;
}

/** By who holds the pen. */
function holdLarge(store: Store, ref: Ref): Large {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  const life = peek(words, at + field.state);
  return { held: holdEntry(store, ref), life, selector: peek(words, at + field.selector) };
}

/** The same by who holds the pen. */
export function appendHeld(store: Store, spec: PartSpec, bytes: Uint8Array): number {
  const ref = store.findFresh();
  checkVersion(store, ref, spec.ifVersion);
  return ref === 0 ? create(store, spec, bytes) : extendPart(store, spec, ref, bytes);
}

/** What is on the disk is not absent: it would be lost under a part that has the added bytes only. */
function create(store: Store, spec: PartSpec, bytes: Uint8Array): number {
  if (versionBelow(store) !== 0) fail('part_on_disk', 'The part is on the disk.');
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
  mustHold(words, at, spec.element);
  store.protectedEntry = ref;
  try {
    store.lowerTier?.replacing(ref);
    const length = peek(words, committed(words, at) + commitSlot.length);
    const fits = length + bytes.length <= peek(words, at + field.blockBytes);
    const inPlace =
      fits && peek(words, at + field.selector) < selectorMax && isIdle(store, words, at);
    if (!inPlace) return regrow(store, ref, words, at, bytes);
    const version = extend(store, words, at, length, bytes);
    bump(store.control, store.countersAt + counter.appends, 1);
    return version;
  } finally {
    store.protectedEntry = 0;
  }
}

/** @throws element_type_mismatch */
function mustHold(words: Words, at: number, element: number): void {
  const has = (peek(words, at + field.traits) >>> trait.elementShift) & trait.elementMask;
  if (has === element) return;
  const [held, given] = [has, element].map((code) => String(elementTypes[code]));
  fail('element_type_mismatch', `The part holds ${held}; got ${given}.`);
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
  const grown = grow(store, words, at, bytesOfEntry(store.region, words, at), bytes);
  try {
    return publishGrown(store, grown, ref, words, at);
  } catch (error) {
    freePayload(store, grown, grown.payload);
    throw error;
  }
}

/** A larger block with all the bytes. */
interface Grown {
  readonly kind: number;
  readonly sensitive: boolean;
  readonly payload: Payload;
}

/** @param old the bytes of the entry, which cannot go meanwhile */
function grow(store: Store, words: Words, at: number, old: Uint8Array, bytes: Uint8Array): Grown {
  const sizeBytes = old.length + bytes.length;
  const traits = peek(words, at + field.traits);
  const kind = traits & trait.kindMask;
  const sensitive = (traits & trait.sensitive) !== 0;
  const preferred = Math.min(Math.ceil(sizeBytes * growthFactor), store.maxPartBytes);
  const payload = reservePayload(store, kind, sizeBytes, Math.max(sizeBytes, preferred));
  try {
    const { bytes: target } = segmentOf(store.region, payload.ref);
    const to = byteOf(store.region, payload.ref);
    copyBlock(target, to, old);
    copyInto(copyTargetOf(segmentOf(store.region, payload.ref)), to + old.length, bytes);
    const added = target.subarray(to + old.length, to + sizeBytes);
    payload.crc32 = crcOfBoth(store, words, at, old, added);
    return { kind, sensitive, payload };
  } catch (error) {
    freePayload(store, { kind, sensitive }, payload);
    throw error;
  }
}

/** By who holds the pen. */
function publishGrown(
  store: Store,
  { payload }: Grown,
  ref: Ref,
  words: Words,
  at: number,
): number {
  const uses = peek(words, at + field.uses);
  const hints = peek(words, at + field.hints);
  const version = publish(store, specOf(store, words, at), payload, ref);
  inherit(store, uses, hints);
  bump(store.control, store.countersAt + counter.appends, 1);
  return version;
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
function crcOfBoth(
  store: Store,
  words: Words,
  at: number,
  old: Uint8Array,
  bytes: Uint8Array,
): number | undefined {
  if ((peek(words, at + field.traits) & trait.checksummed) !== 0) {
    return crc32(bytes, peek(words, committed(words, at) + commitSlot.crc32));
  }
  return store.options.checksums ? crc32(bytes, crc32(old)) : undefined;
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
