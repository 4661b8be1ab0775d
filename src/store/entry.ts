/**
 * The entry of a part: 192 bytes, three lines, in type-stable memory that never holds anything else.
 *
 * ```
 * line 0, what lookup reads                     line 1, what use changes             line 2, the key
 *  0 state(4) │ sequence(28)                    16 leases of owners 0–31             32 key.ts, up to 60 bytes of text,
 *  1 hash, low                                  17 leases of owners 32–63               or unused when keyRef is set
 *  2 hash, high                                 18 lastAccess (tick)
 *  3 traits (below)                             19 uses
 *  4 generation, low                            20 blockBytes: room of the payload block
 *  5 generation, high                           21 expiresAt ms, low; 0 0: never
 *  6 originRegion(16)│retention(8)│tierMask(8)  22 expiresAt ms, high
 *  7 homeEpoch                                  23 sealKeyId
 *  8 commit 0: ref                              24 sealRef
 *  9           length                           25 tagRef: first tag node
 * 10           crc32                            26 keyRef: 0, or the block of a long key
 * 11 commit 1: ref                              27 nextInContext; next free while free
 * 12           length                           28 previousInContext
 * 13           crc32                            29 ordinal: number of this entry
 * 14 selector: appends so far                   30 hints
 * 15 checkedEpoch                               31 contextTag: hash of the id
 *
 * traits  0–2 kind │ 3–6 element type │ 7–10 codec │ 16 pinned │ 17 sealed │ 18 sensitive │ 19 movable │ 20 checksummed
 * hints   0 closed │ 1 toolPending │ 2–4 stop reason + 1
 * ```
 * The committed bytes are those of commit slot `selector & 1`. An append writes the idle slot, then adds one to the selector: a
 * single word commits. The version is generation + selector, so that this word commits the version too.
 */

import { granuleShift, type Ref, type Region, type Segment } from '../memory/region.ts';
import { load, peek, poke, type Words } from '../memory/words.ts';

export const entryWords = 48;
export const entryGranules = 3;

export const field = {
  state: 0,
  hashLow: 1,
  hashHigh: 2,
  traits: 3,
  generationLow: 4,
  generationHigh: 5,
  origin: 6,
  homeEpoch: 7,
  commit: 8,
  selector: 14,
  checkedEpoch: 15,
  leases: 16,
  lastAccess: 18,
  uses: 19,
  blockBytes: 20,
  expiresLow: 21,
  expiresHigh: 22,
  sealKeyId: 23,
  sealRef: 24,
  tagRef: 25,
  keyRef: 26,
  next: 27,
  previous: 28,
  ordinal: 29,
  hints: 30,
  contextTag: 31,
  key: 32,
} as const;

/** Words of a commit slot, from field.commit + 3 · (selector & 1). */
export const commitSlot = { ref: 0, length: 1, crc32: 2 } as const;
export const commitSlotWords = 3;

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
} as const;

export const hintBit = { closed: 1, toolPending: 2, stopShift: 2, stopMask: 0x1c } as const;

/** Tier bits of field.origin. */
export const tierMask = { hot: 1 } as const;

/** Where an entry (or any block) lies: the segment that holds a reference. */
export function segmentOf(region: Region, ref: Ref): Segment {
  return region.segments[ref >>> (region.segmentShift - granuleShift)] as Segment;
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
    load(words, at + field.selector)
  );
}

/** Word index of the committed slot. */
export function committed(words: Words, at: number): number {
  return at + field.commit + (load(words, at + field.selector) & 1) * commitSlotWords;
}

export function expiresAtMs(words: Words, at: number): number {
  return (
    (peek(words, at + field.expiresHigh) >>> 0) * 0x1_0000_0000 +
    (peek(words, at + field.expiresLow) >>> 0)
  );
}

export function setExpiresAt(words: Words, at: number, atMs: number): void {
  poke(words, at + field.expiresLow, atMs | 0);
  poke(words, at + field.expiresHigh, Math.floor(atMs / 0x1_0000_0000));
}
