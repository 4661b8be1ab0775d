/**
 * The words of a superblock, and which values its fields may have.
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
 */

import { crc32 } from '../base/checksum.ts';
import { show } from '../base/show.ts';
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
import { ownersMaxLimit } from './layout.ts';
import { granuleShift } from './region.ts';
import type { Superblock } from './superblock.ts';

export const formatVersion = 2;

/** Feature bits that this version understands. */
export const knownIncompat = 0;
export const knownRoCompat = 0;

/** 'CENO' as a little-endian word. */
export const superblockMagic = 0x4f_4e_45_43;
export const superblockWords = 64;

/** Word indices within a copy. */
export const superblockField = {
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

const at = superblockField;

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
    if (!holds) return `${name} is ${show(block[name as keyof Superblock])}`;
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
  image[at.checksum] = superblockChecksum(image);
  return image;
}

export function superblockChecksum(image: Int32Array): number {
  return crc32(new Uint8Array(image.buffer, image.byteOffset, at.checksum * 4));
}

/** The fields of a copy whose magic and checksum have been verified; their ranges have not. */
export function decodeSuperblock(image: Int32Array): Superblock {
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
