/**
 * Superblock: two copies, A at byte 0 and B at byte 4096 of segment 0; the valid one with the higher sequence counts.
 *
 * One copy, 64 words of 32 bits, little endian (256 bytes: inside one disk sector):
 * ```
 *  word  0        1        2       3         4         5     9       11     12    13       14 15     16
 *       ┌────────┬────────┬───────┬─────────┬─────────┬─────┬───────┬──────┬─────┬────────┬─────────┬───────┐
 *       │ magic  │version │compat │incompat │roCompat │uuid │tenant │segm. │slab │segment │capacity │owners │
 *       │ 'CENO' │        │       │         │         │ ×4  │Hash×2 │Shift │Shift│ Count  │ low high│ Max   │
 *       └────────┴────────┴───────┴─────────┴─────────┴─────┴───────┴──────┴─────┴────────┴─────────┴───────┘
 *  word  17      21      22     23       24 25     26 27      28                                         35
 *       ┌───────┬───────┬──────┬────────┬─────────┬──────────┬──────────────────────────────────────────┬───────┐
 *       │bootId │flags  │epoch │trusted │hashSeed │createdAt │roots: parts, partsOld, contexts,         │ spare │
 *       │ ×4    │0:clean│      │ Epoch  │low high │ low high │ contextsOld, tags, tagsOld, entries      │ zeros │
 *       └───────┴───────┴──────┴────────┴─────────┴──────────┴──────────────────────────────────────────┴───────┘
 *  word  61 62              63
 *       ┌──────────────────┬──────────────────────────────┐
 *       │sequence low high │ checksum: crc32 of words 0…62│
 *       └──────────────────┴──────────────────────────────┘
 * ```
 * Identities (uuid, tenantHash, bootId) hold eight hex digits per word, most significant first. Magic, version, sequence and
 * checksum keep their places in every version, so that a reader can always tell an unknown format from a damaged one.
 *
 * **Writing.** Both copies get the new state, one after the other, the copy that is damaged or older first. Each one: magic 0, the
 * words, the checksum, the magic. A copy without its magic is no copy, so a write torn at any word is seen for certain (not only with the
 * 1 − 2⁻³² of a checksum) while the other copy is whole. Both hold the same state afterwards: damage to one copy never rolls the
 * pool back to an older root.
 */

import { crc32 } from '../base/checksum.ts';
import { fail } from '../errors.ts';
import { hexWord, highWord, isHex, joinWords, lowWord, wordHex } from './fields.ts';
import {
  maxCapacityBytes,
  maxSegmentShift,
  maxSlabShift,
  minCapacityBytes,
  minSegmentShift,
  minSlabShift,
} from './geometry.ts';
import { ownersMaxLimit, superblockAByte, superblockBByte } from './layout.ts';
import { granuleShift } from './region.ts';
import type { Ref } from './region.ts';
import { load, store } from './words.ts';
import type { Words } from './words.ts';

export interface Superblock {
  /** Format version: 1. */
  readonly version: number;
  /** Feature bits: unknown ones in `incompat` refuse the pool, in `roCompat` make it read-only, in `compat` are ignored. */
  readonly compat: number;
  readonly incompat: number;
  readonly roCompat: number;
  /** 32 hex digits. */
  readonly poolUuid: string;
  /** 16 hex digits; zeros for a pool without a tenant. */
  readonly tenantHash: string;
  readonly segmentShift: number;
  readonly slabShift: number;
  readonly segmentCount: number;
  readonly capacityBytes: number;
  readonly ownersMax: number;
  /** Kernel boot id of the machine that last opened the pool for writing: 32 hex digits. */
  readonly bootId: string;
  /** Closed in order: the allocator's and the store's structures are complete. */
  readonly clean: boolean;
  /** Bumped at every opening for writing; 0: never opened since its creation. A part whose checkedEpoch is older than `trustedEpoch` is
   *  verified at its next get. */
  readonly epoch: number;
  /** The epoch of the last opening that followed a crash. */
  readonly trustedEpoch: number;
  /** Signed 32-bit words. */
  readonly hashSeedLow: number;
  readonly hashSeedHigh: number;
  readonly createdAtMs: number;
  /** Roots of the store. `…Old` is the table that an online growth is leaving, or 0. */
  readonly rootParts: Ref;
  readonly rootPartsOld: Ref;
  readonly rootContexts: Ref;
  readonly rootContextsOld: Ref;
  readonly rootTags: Ref;
  readonly rootTagsOld: Ref;
  /** Newest chunk of entries; chunks are chained from there. */
  readonly rootEntries: Ref;
  /** Rises by one with every commit. */
  readonly sequence: number;
}

export const formatVersion = 1;

/** Feature bits that this version understands. */
export const knownIncompat = 0;
export const knownRoCompat = 0;

/** 'CENO' as a little-endian word. */
export const superblockMagic = 0x4f_4e_45_43;
export const superblockWords = 64;

/** Word indices within a copy. */
const at = {
  magic: 0,
  version: 1,
  compat: 2,
  incompat: 3,
  roCompat: 4,
  poolUuid: 5,
  tenantHash: 9,
  segmentShift: 11,
  slabShift: 12,
  segmentCount: 13,
  capacityBytes: 14,
  ownersMax: 16,
  bootId: 17,
  flags: 21,
  epoch: 22,
  trustedEpoch: 23,
  hashSeed: 24,
  createdAtMs: 26,
  roots: 28,
  sequence: 61,
  checksum: 63,
} as const;

const rootNames = [
  'rootParts',
  'rootPartsOld',
  'rootContexts',
  'rootContextsOld',
  'rootTags',
  'rootTagsOld',
  'rootEntries',
] as const;

const cleanFlag = 1;
const maxWord = 2 ** 31 - 1;
const copyWords = [superblockAByte >> 2, superblockBByte >> 2] as const;

/** Bytes from the start of segment 0 that `readSuperblock` looks at. */
export const superblockPrefixBytes: number = superblockBByte + superblockWords * 4;

function inRange(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function isWord(value: number): boolean {
  return inRange(value, -maxWord - 1, maxWord);
}

/** The first field out of its range, with its value; undefined when all are sound. `compat` bits and version are not judged here. */
export function superblockFault(block: Superblock): string | undefined {
  const granules = block.segmentCount * 2 ** (block.segmentShift - granuleShift);
  const sound: Partial<Record<keyof Superblock, boolean>> = {
    poolUuid: isHex(block.poolUuid, 32),
    tenantHash: isHex(block.tenantHash, 16),
    segmentShift: inRange(block.segmentShift, minSegmentShift, maxSegmentShift),
    slabShift: inRange(block.slabShift, minSlabShift, maxSlabShift),
    segmentCount: inRange(block.segmentCount, 1, 2 ** 31) && granules <= 2 ** 31,
    capacityBytes: inRange(block.capacityBytes, minCapacityBytes, maxCapacityBytes),
    ownersMax: inRange(block.ownersMax, 1, ownersMaxLimit),
    bootId: isHex(block.bootId, 32),
    clean: typeof block.clean === 'boolean',
    epoch: inRange(block.epoch, 0, maxWord),
    trustedEpoch: inRange(block.trustedEpoch, 0, block.epoch),
    hashSeedLow: isWord(block.hashSeedLow),
    hashSeedHigh: isWord(block.hashSeedHigh),
    createdAtMs: inRange(block.createdAtMs, 0, Number.MAX_SAFE_INTEGER),
    sequence: inRange(block.sequence, 1, Number.MAX_SAFE_INTEGER),
  };
  for (const name of rootNames) sound[name] = inRange(block[name], 0, granules - 1);
  for (const [name, holds] of Object.entries(sound)) {
    if (!holds) return `${name} is ${String(block[name as keyof Superblock])}`;
  }
  return undefined;
}

/** The words of one copy, checksum included. @throws invalid_argument when a field is out of its range */
export function encodeSuperblock(block: Superblock): Int32Array {
  const fault = superblockFault(block);
  if (fault !== undefined) fail('invalid_argument', `superblock: ${fault}`);
  const image = new Int32Array(superblockWords);
  image[at.magic] = superblockMagic;
  image[at.version] = block.version;
  image[at.compat] = block.compat | 0;
  image[at.incompat] = block.incompat | 0;
  image[at.roCompat] = block.roCompat | 0;
  for (let i = 0; i < 4; i += 1) {
    image[at.poolUuid + i] = hexWord(block.poolUuid, i);
    image[at.bootId + i] = hexWord(block.bootId, i);
  }
  image[at.tenantHash] = hexWord(block.tenantHash, 0);
  image[at.tenantHash + 1] = hexWord(block.tenantHash, 1);
  image[at.segmentShift] = block.segmentShift;
  image[at.slabShift] = block.slabShift;
  image[at.segmentCount] = block.segmentCount;
  image[at.capacityBytes] = lowWord(block.capacityBytes);
  image[at.capacityBytes + 1] = highWord(block.capacityBytes);
  image[at.ownersMax] = block.ownersMax;
  image[at.flags] = block.clean ? cleanFlag : 0;
  image[at.epoch] = block.epoch;
  image[at.trustedEpoch] = block.trustedEpoch;
  image[at.hashSeed] = block.hashSeedLow;
  image[at.hashSeed + 1] = block.hashSeedHigh;
  image[at.createdAtMs] = lowWord(block.createdAtMs);
  image[at.createdAtMs + 1] = highWord(block.createdAtMs);
  rootNames.forEach((name, i) => (image[at.roots + i] = block[name]));
  image[at.sequence] = lowWord(block.sequence);
  image[at.sequence + 1] = highWord(block.sequence);
  image[at.checksum] = checksumOf(image);
  return image;
}

function checksumOf(image: Int32Array): number {
  return crc32(new Uint8Array(image.buffer, image.byteOffset, at.checksum * 4));
}

/** The fields of a copy whose magic and checksum have been verified; their ranges have not. */
function decodeSuperblock(image: Int32Array): Superblock {
  const word = (index: number): number => image[index] as number;
  const hex = (index: number, words: number): string =>
    Array.from(image.subarray(index, index + words), wordHex).join('');
  const roots = Object.fromEntries(
    rootNames.map((name, i) => [name, word(at.roots + i)]),
  ) as Record<(typeof rootNames)[number], number>;
  return {
    version: word(at.version),
    compat: word(at.compat) >>> 0,
    incompat: word(at.incompat) >>> 0,
    roCompat: word(at.roCompat) >>> 0,
    poolUuid: hex(at.poolUuid, 4),
    tenantHash: hex(at.tenantHash, 2),
    segmentShift: word(at.segmentShift),
    slabShift: word(at.slabShift),
    segmentCount: word(at.segmentCount),
    capacityBytes: joinWords(word(at.capacityBytes), word(at.capacityBytes + 1)),
    ownersMax: word(at.ownersMax),
    bootId: hex(at.bootId, 4),
    clean: (word(at.flags) & cleanFlag) !== 0,
    epoch: word(at.epoch),
    trustedEpoch: word(at.trustedEpoch),
    hashSeedLow: word(at.hashSeed),
    hashSeedHigh: word(at.hashSeed + 1),
    createdAtMs: joinWords(word(at.createdAtMs), word(at.createdAtMs + 1)),
    ...roots,
    sequence: joinWords(word(at.sequence), word(at.sequence + 1)),
  };
}

/** What one copy is: `absent` has no magic, `damaged` has one but not the checksum or the ranges, `foreign` is sound but of a newer format. */
interface Copy {
  readonly state: 'valid' | 'foreign' | 'damaged' | 'absent';
  readonly block: Superblock | undefined;
  readonly why: string;
}

function readCopy(words: Words, copy: 0 | 1): Copy {
  const image = new Int32Array(superblockWords);
  for (let i = 0; i < superblockWords; i += 1) image[i] = load(words, copyWords[copy] + i);
  const name = copy === 0 ? 'A' : 'B';
  if (image[at.magic] !== superblockMagic)
    return { state: 'absent', block: undefined, why: `copy ${name} has no magic` };
  if (image[at.checksum] !== checksumOf(image))
    return { state: 'damaged', block: undefined, why: `copy ${name} fails its checksum` };
  const block = decodeSuperblock(image);
  if (block.version !== formatVersion)
    return { state: 'foreign', block, why: `format version ${block.version}` };
  if ((block.incompat & ~knownIncompat) !== 0)
    return { state: 'foreign', block, why: `incompat bits 0x${block.incompat.toString(16)}` };
  const fault = superblockFault(block);
  return fault === undefined
    ? { state: 'valid', block, why: '' }
    : { state: 'damaged', block: undefined, why: `copy ${name}: ${fault}` };
}

function sequenceOf(copy: Copy): number {
  return copy.block === undefined ? -1 : copy.block.sequence;
}

/** How often a reader looks again while a writer is at work; a commit takes microseconds. */
const readAttempts = 100;

/**
 * The current superblock of segment 0 (or of its first `superblockPrefixBytes`): every field verified.
 * @throws not_a_pool no copy has the magic; pool_corrupt no copy is sound; format_unsupported
 */
export function readSuperblock(words: Words): Superblock {
  for (let attempt = 1; ; attempt += 1) {
    const a = readCopy(words, 0);
    const b = readCopy(words, 1);
    const best = sequenceOf(b) > sequenceOf(a) ? b : a;
    if (best.state === 'valid') return best.block as Superblock;
    if (best.state === 'foreign')
      fail(
        'format_unsupported',
        `the pool has ${best.why}; this version reads format ${formatVersion}`,
      );
    if (attempt < readAttempts) continue; // a commit may have passed by between the two copies
    const absent = a.state === 'absent' && b.state === 'absent';
    return fail(absent ? 'not_a_pool' : 'pool_corrupt', `no valid superblock: ${a.why}; ${b.why}`);
  }
}

/** True when the pool has features that this version may read but not write. */
export function mustReadOnly(block: Superblock): boolean {
  return (block.roCompat & ~knownRoCompat) !== 0;
}

function writeCopy(words: Words, copy: 0 | 1, image: Int32Array): void {
  const first = copyWords[copy];
  store(words, first + at.magic, 0);
  for (let i = at.version; i < superblockWords; i += 1) store(words, first + i, image[i] as number);
  store(words, first + at.magic, superblockMagic);
}

/**
 * Makes `block` the current superblock, in one step for every reader and every crash: before the first copy is whole the old one
 * counts, from then on the new one. `block.sequence` must be higher than the current one.
 * @throws invalid_argument a field is out of its range: nothing has changed
 */
export function writeSuperblock(words: Words, block: Superblock): void {
  const image = encodeSuperblock(block);
  const a = sequenceOf(readCopy(words, 0));
  const b = sequenceOf(readCopy(words, 1));
  const first = a === b ? ((block.sequence & 1) as 0 | 1) : a < b ? 0 : 1;
  writeCopy(words, first, image);
  writeCopy(words, first === 0 ? 1 : 0, image);
}
