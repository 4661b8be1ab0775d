/**
 * Superblock: two copies, A and B; the valid one with the higher sequence counts. Draft of the shape; the builder of memory/
 * completes encode, decode and validation here.
 */

import type { Ref } from './region.ts';

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
  /** Bumped at every opening for writing. A part whose checkedEpoch is older than `trustedEpoch` is verified at its next get. */
  readonly epoch: number;
  /** The epoch of the last opening that followed a crash. */
  readonly trustedEpoch: number;
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
