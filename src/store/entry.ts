/**
 * The entry of a part: 192 bytes, three lines, in type-stable memory that never holds anything else.
 *
 * ```
 * line 0, all that a get reads                  line 1, the key (key.ts)   line 2, what changes and sweeps read
 *  0 state(4) │ sequence(28)                    16 header                  32 commit 1: ref
 *  1 hash, high                                 17 up to 60 bytes of       33           length
 *  2 traits (below)                                text, or unused when    34           crc32
 *  3 generation, low                               keyRef is set           35 hash, low
 *  4 generation, high                                                      36 blockBytes: room in the payload block
 *  5 selector: changes · 2 + slot                                          37 expiresAt ms, low
 *  6 checkedEpoch                                                          38 expiresAt ms, high
 *  7 leases of owners 0–31                                                 39 persisted: 1 + changes that the disk has; 0: unknown
 *  8 leases of owners 32–63                                                40 sealRef
 *  9 lastAccess (tick)                                                     41 tagRef: first tag node
 * 10 uses                                                                  42 nextInContext; next free while free
 * 11 ordinal: number of this entry                                         43 previousInContext; its place among the retired
 * 12 keyRef: 0, or the block of a long key                                 44 contextTag: hash of the id
 * 13 commit 0: ref                                                         45 hints
 * 14           length                                                      46 originRegion(16)│retention(8)│tierMask(8)
 * 15           crc32                                                       47 homeEpoch
 *
 * traits  0–2 kind │ 3–6 element type │ 7–10 codec │ 16 pinned │ 17 sealed │ 18 sensitive │ 19 movable │ 20 checksummed │ 21 expiring
 * hints   0 closed │ 1 toolPending │ 2–4 stop reason + 1
 * ```
 * The committed bytes are those of commit slot `selector & 1`. An append, or a replacement in place, writes the idle slot, then the
 * selector: the other slot, and one change more. A single word commits bytes, length, checksum, and version: generation + changes.
 *
 * The idle slot has ref 0, or the ref of the committed one (after an append), or that of bytes that were replaced under a lease: they are
 * *parked* there, so that recovery knows of them, until the entry has no lease.
 */

import { fail } from '../errors.ts';
import { granuleShift, type Ref, type Region, type Segment } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';

export const entryWords = 48;
export const entryGranules = 3;

export const field = {
  state: 0,
  hashHigh: 1,
  traits: 2,
  generationLow: 3,
  generationHigh: 4,
  selector: 5,
  checkedEpoch: 6,
  leases: 7,
  lastAccess: 9,
  uses: 10,
  ordinal: 11,
  keyRef: 12,
  commit: 13,
  key: 16,
  hashLow: 35,
  blockBytes: 36,
  expiresLow: 37,
  expiresHigh: 38,
  persisted: 39,
  sealRef: 40,
  tagRef: 41,
  next: 42,
  previous: 43,
  contextTag: 44,
  hints: 45,
  origin: 46,
  homeEpoch: 47,
} as const;

/** Words of a commit slot, from field.commit + commitStride · (selector & 1). */
export const commitSlot = { ref: 0, length: 1, crc32: 2 } as const;
export const commitStride = 19;

/** States: free → claimed (being written) → live → retired (bytes wait for leases) → free. */
export const state = { free: 0, claimed: 1, live: 2, retired: 3 } as const;
export const stateMask = 0xf;
const sequenceStep = 0x10;

export const trait = {
  kindMask: 0x7,
  elementShift: 3,
  elementMask: 0xf,
  pinned: 0x1_0000,
  sealed: 0x2_0000,
  sensitive: 0x4_0000,
  movable: 0x8_0000,
  checksummed: 0x10_0000,
  expiring: 0x20_0000,
} as const;

export const hintBit = { closed: 1, toolPending: 2, stopShift: 2, stopMask: 0x1c } as const;

/** A part whose selector reaches this is written into a new entry. */
export const selectorMax = 0x3fff_ffff;

/** Tier bits of field.origin. `disk`: a record of the part is there or on its way, of this version or an older one. */
export const tierMask = { hot: 1, disk: 2 } as const;

/** What of a part is in its traits. */
interface Traits {
  readonly kind: number;
  readonly element: number;
  readonly pinned: boolean;
  readonly sensitive: boolean;
}

/** The traits of a part that does not expire. */
export function traitsOf(part: Traits, checksummed: boolean): number {
  return (
    part.kind |
    (part.element << trait.elementShift) |
    (part.pinned ? trait.pinned : 0) |
    (part.sensitive ? trait.sensitive : 0) |
    trait.movable |
    (checksummed ? trait.checksummed : 0)
  );
}

/** Where an entry (or any block) lies: the segment that holds a reference. @throws pool_corrupt when none does */
export function segmentOf(region: Region, ref: Ref): Segment {
  return region.segments[ref >>> (region.segmentShift - granuleShift)] ?? addedFor(region, ref);
}

/** The segment of a reference that lies beyond those that this owner knows of: no epoch of the index tells of one that another has added. */
function addedFor(region: Region, ref: Ref): Segment {
  region.refresh();
  const added = region.segments[ref >>> (region.segmentShift - granuleShift)];
  return added ?? fail('pool_corrupt', `Reference ${ref} lies in no segment.`);
}

/** Word index of a reference within its segment. */
export function wordOf(region: Region, ref: Ref): number {
  return (ref & ((1 << (region.segmentShift - granuleShift)) - 1)) << 4;
}

/** Byte index of a reference within its segment. */
export function byteOf(region: Region, ref: Ref): number {
  return (ref & ((1 << (region.segmentShift - granuleShift)) - 1)) << granuleShift;
}

/** The state word of the next life of an entry slot. */
export function nextSequence(stateWord: number, newState: number): number {
  return ((stateWord & ~stateMask) + sequenceStep) | newState;
}

/** Version of an entry: below 2^53. */
export function versionOf(words: Words, at: number): number {
  return (
    (peek(words, at + field.generationHigh) >>> 0) * 0x1_0000_0000 +
    (peek(words, at + field.generationLow) >>> 0) +
    (peek(words, at + field.selector) >>> 1)
  );
}

/** Word index of the committed slot. */
export function committed(words: Words, at: number): number {
  return at + field.commit + (peek(words, at + field.selector) & 1) * commitStride;
}

/** Word index of the other slot. */
export function idle(words: Words, at: number): number {
  return at + field.commit + (~peek(words, at + field.selector) & 1) * commitStride;
}

/** The selector after a change of bytes, length and version: the other slot, and one change more. */
export function nextSelector(selector: number): number {
  return (selector ^ 1) + 2;
}

/** The selector after a move: the other slot, and the same version. */
export function movedSelector(selector: number): number {
  return selector ^ 1;
}

/** The block of bytes that were replaced under a lease, or 0. */
export function parked(words: Words, at: number): Ref {
  const ref = peek(words, idle(words, at) + commitSlot.ref);
  return ref === peek(words, committed(words, at) + commitSlot.ref) ? 0 : ref;
}

/** When the time of an entry is over; 0: never. */
export function expiresAtMs(words: Words, at: number): number {
  if ((peek(words, at + field.traits) & trait.expiring) === 0) return 0;
  return (
    (peek(words, at + field.expiresHigh) >>> 0) * 0x1_0000_0000 +
    (peek(words, at + field.expiresLow) >>> 0)
  );
}

/**
 * Sets the expiry of an entry; 0: never. The trait is set last and cleared first, so that a get need not read the time. One word
 * commits, so that a part never expires before its old and its new time; but where the two are 49 days apart, in between it has none.
 */
export function setExpiresAt(words: Words, at: number, atMs: number): void {
  const traits = peek(words, at + field.traits);
  const high = Math.floor(atMs / 0x1_0000_0000);
  const isExpiring = (traits & trait.expiring) !== 0;
  if (isExpiring && atMs !== 0 && peek(words, at + field.expiresHigh) === high) {
    poke(words, at + field.expiresLow, atMs | 0);
    return;
  }
  if (isExpiring) poke(words, at + field.traits, traits & ~trait.expiring);
  if (atMs === 0) return;
  poke(words, at + field.expiresLow, atMs | 0);
  poke(words, at + field.expiresHigh, high);
  poke(words, at + field.traits, traits | trait.expiring);
}
