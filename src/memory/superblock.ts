/**
 * Superblock: two copies, A at byte 0 and B at byte 4096 of segment 0; the valid one with the higher sequence counts.
 *
 * **Writing.** Both copies get the new state, one after the other, the copy that is damaged or older first. Each one: magic 0, the
 * words, the checksum, the magic. A copy without its magic is no copy, so a write torn at any word is seen for certain (not only with the
 * 1 − 2⁻³² of a checksum) while the other copy is whole. Both hold the same state afterwards: damage to one copy never rolls the
 * pool back to an older root.
 */

import { fail } from '../errors.ts';
import { lowWord } from './fields.ts';
import { superblockAByte, superblockBByte } from './layout.ts';
import type { Ref } from './region.ts';
import {
  decodeSuperblock,
  encodeSuperblock,
  formatVersion,
  knownIncompat,
  knownRoCompat,
  superblockChecksum,
  superblockFault,
  superblockField,
  superblockMagic,
  superblockWords,
} from './superblock-codec.ts';
import { load, loadInOrder, store } from './words.ts';
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

const copyWords = [superblockAByte >> 2, superblockBByte >> 2] as const;

/** Bytes from the start of segment 0 that `readSuperblock` looks at. */
export const superblockPrefixBytes: number = superblockBByte + superblockWords * 4;

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
  if (image[superblockField.magic] !== superblockMagic)
    return { state: 'absent', block: undefined, why: `copy ${name} has no magic` };
  if (image[superblockField.checksum] !== superblockChecksum(image))
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

const sequenceWord: number = copyWords[0] + superblockField.sequence;

/** What `isUnchanged` compares. */
export function markOf(block: Superblock): number {
  return lowWord(block.sequence);
}

/**
 * True when no commit has ended since the block with this mark was read: one load, for owners that ask often. It looks at copy A only, which
 * every commit has written before it ends; one that is under way, or whose owner died over it, may be seen or not. (Who sleeps
 * through 2^32 commits sees none of them.)
 */
export function isUnchanged(words: Words, mark: number): boolean {
  return loadInOrder(words, sequenceWord) === mark;
}

/** True when the pool has features that this version may read but not write. */
export function mustReadOnly(block: Superblock): boolean {
  return (block.roCompat & ~knownRoCompat) !== 0;
}

function writeCopy(words: Words, copy: 0 | 1, image: Int32Array): void {
  const first = copyWords[copy];
  store(words, first + superblockField.magic, 0);
  for (let i = superblockField.version; i < superblockWords; i += 1)
    store(words, first + i, image[i] as number);
  store(words, first + superblockField.magic, superblockMagic);
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
