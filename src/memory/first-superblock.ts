/** What a region starts from. */

import { fail } from '../errors.ts';
import { geometryFor, nextSegmentBytes, roundCapacity } from './geometry.ts';
import { ownersMaxLimit } from './layout.ts';
import { thisBootId } from './process.ts';
import type { RegionOptions } from './region.ts';
import { formatVersion, superblockFault } from './superblock-codec.ts';
import type { Superblock } from './superblock.ts';

/** What every region starts with: nothing is in it. */
export const atFirst = {
  segmentCount: 1,
  epoch: 0,
  trustedEpoch: 0,
  rootParts: 0,
  rootPartsOld: 0,
  rootContexts: 0,
  rootContextsOld: 0,
  rootTags: 0,
  rootTagsOld: 0,
  rootEntries: 0,
  sequence: 1,
} as const;

/** The superblock of a region that is about to exist. @throws invalid_argument */
export function firstSuperblock(options: RegionOptions): Superblock {
  const geometry = geometryFor(options);
  const ownersMax = options.ownersMax ?? ownersMaxLimit;
  const maxBytes = roundCapacity(
    options.maxCapacityBytes ?? options.capacityBytes,
    'maxCapacityBytes',
  );
  if (maxBytes < geometry.capacityBytes) {
    fail(
      'invalid_argument',
      `maxCapacityBytes ${maxBytes} is below capacityBytes ${geometry.capacityBytes}`,
    );
  }
  const block: Superblock = {
    ...atFirst,
    version: formatVersion,
    compat: 0,
    incompat: 0,
    roCompat: 0,
    poolUuid: options.poolUuid,
    tenantHash: options.tenantHash ?? '0'.repeat(16),
    segmentShift: geometry.segmentShift,
    slabShift: geometry.slabShift,
    capacityBytes: geometry.capacityBytes,
    ownersMax,
    bootId: options.bootId ?? thisBootId(),
    clean: true,
    hashSeedLow: options.hashSeedLow | 0,
    hashSeedHigh: options.hashSeedHigh | 0,
    createdAtMs: options.createdAtMs,
  };
  const fault = superblockFault(block);
  if (fault !== undefined) fail('invalid_argument', fault);
  return block;
}

/** Size of segment 0 of a new region. */
export function firstSegmentBytes(block: Superblock): number {
  return nextSegmentBytes(block.capacityBytes, 0, block.segmentShift, block.slabShift);
}
