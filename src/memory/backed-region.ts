/** The rules that shared and mapped regions have in common; where segments come from is the backing's matter. */

import { fail } from '../errors.ts';
import { maxSegments, nextSegmentBytes, roundCapacity, geometryFor } from './geometry.ts';
import { ownersMaxLimit } from './layout.ts';
import { ownerFree, ownerLive, ownerSlot, ownerWord, releaseOwnerSlot } from './owners.ts';
import { thisBootId } from './process.ts';
import type { Region, RegionHandle, RegionOptions, Segment } from './region.ts';
import { writeSegmentHeader } from './segment-header.ts';
import { formatVersion, superblockFault } from './superblock-codec.ts';
import { isUnchanged, readSuperblock, writeSuperblock } from './superblock.ts';
import type { Superblock } from './superblock.ts';
import { load } from './words.ts';

/** Where the segments of a region live. */
export interface Backing {
  readonly handle: RegionHandle;
  /**
   * Memory for a new segment, all zero and reserved; undefined when there is no room for one.
   * @throws memory_unavailable, io_failed: nothing has changed
   */
  create(number: number, sizeBytes: number): Segment | undefined;
  /** Undoes `create`. */
  discard(segment: Segment): void;
  /** A segment that the superblock counts. @throws pool_corrupt */
  open(number: number, pool: Superblock): Segment;
  /** True when `segment` is still what the superblock counts under its number. */
  isCurrent(segment: Segment, pool: Superblock): boolean;
  /** Lets a segment go in this thread. */
  release(segment: Segment): void;
  /** Removes the memory behind a segment that is no longer counted and has been released here. */
  remove(number: number): void;
  /** Whether the lock of an owner slot is held by someone else; undefined where there are no locks. */
  isHeld(slot: number): boolean | undefined;
  /** Takes the lock of an owner slot. @returns what gives it back; undefined when someone else holds it, or there are no locks */
  hold?(slot: number): (() => void) | undefined;
  /** After every segment was released. */
  close(): void;
}

/** How this thread takes part in a region. */
export interface Membership {
  readonly ownerSlot: number;
  readonly slotAbandoned: boolean;
  readonly readOnly: boolean;
}

/** Fields that `commit` cannot change: others rely on them, or `addSegment` and `dropSegment` keep them. */
const fixedFields = [
  'version',
  'poolUuid',
  'segmentShift',
  'slabShift',
  'segmentCount',
  'ownersMax',
  'createdAtMs',
  'hashSeedLow',
  'hashSeedHigh',
  'sequence',
] as const satisfies readonly (keyof Superblock)[];

/** How often a reader starts again while the writer adds and drops segments. */
const settleAttempts = 100;

/**
 * Reads the superblock and opens what it counts. The writer may drop a segment while it is being opened: only a pool at rest is
 * judged, so an error counts when the superblock is still the same afterwards.
 */
export function settled<T>(read: () => Superblock, open: (block: Superblock) => T): T {
  for (let attempt = 1; ; attempt += 1) {
    const block = read();
    try {
      return open(block);
    } catch (error) {
      if (attempt === settleAttempts || read().sequence === block.sequence) throw error;
    }
  }
}

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
    version: formatVersion,
    compat: 0,
    incompat: 0,
    roCompat: 0,
    poolUuid: options.poolUuid,
    tenantHash: options.tenantHash ?? '0'.repeat(16),
    segmentShift: geometry.segmentShift,
    slabShift: geometry.slabShift,
    segmentCount: 1,
    capacityBytes: geometry.capacityBytes,
    ownersMax,
    bootId: options.bootId ?? thisBootId(),
    clean: true,
    epoch: 0,
    trustedEpoch: 0,
    hashSeedLow: options.hashSeedLow | 0,
    hashSeedHigh: options.hashSeedHigh | 0,
    createdAtMs: options.createdAtMs,
    rootParts: 0,
    rootPartsOld: 0,
    rootContexts: 0,
    rootContextsOld: 0,
    rootTags: 0,
    rootTagsOld: 0,
    rootEntries: 0,
    sequence: 1,
  };
  const fault = superblockFault(block);
  if (fault !== undefined) fail('invalid_argument', fault);
  return block;
}

/** Size of segment 0 of a new region. */
export function firstSegmentBytes(block: Superblock): number {
  return nextSegmentBytes(block.capacityBytes, 0, block.segmentShift, block.slabShift);
}

export class BackedRegion implements Region {
  readonly type: 'shared' | 'mapped';
  readonly readOnly: boolean;
  readonly ownerSlot: number;
  readonly slotAbandoned: boolean;
  readonly bootId: string;
  readonly segmentShift: number;
  readonly slabShift: number;
  readonly segments: readonly Segment[];
  readonly #segments: Segment[];
  readonly #backing: Backing;
  #superblock: Superblock;
  #closed = false;

  constructor(
    backing: Backing,
    block: Superblock,
    segments: Segment[],
    member: Membership,
    bootId: string,
  ) {
    this.type = backing.handle.type;
    this.readOnly = member.readOnly;
    this.ownerSlot = member.ownerSlot;
    this.slotAbandoned = member.slotAbandoned;
    this.bootId = bootId;
    this.segmentShift = block.segmentShift;
    this.slabShift = block.slabShift;
    this.segments = segments;
    this.#segments = segments;
    this.#backing = backing;
    this.#superblock = block;
  }

  get superblock(): Superblock {
    return this.#superblock;
  }

  get handle(): RegionHandle {
    return this.#backing.handle;
  }

  commit(change: Partial<Superblock>): void {
    this.#mustWrite();
    for (const name of fixedFields) {
      const value = change[name];
      if (value !== undefined && value !== this.#superblock[name])
        fail('invalid_argument', `commit cannot change ${name} to ${value}`);
    }
    this.#replace(change);
  }

  addSegment(format: (segment: Segment) => void): boolean {
    this.#mustWrite();
    const { capacityBytes, segmentShift, slabShift, poolUuid } = this.#superblock;
    const number = this.#segments.length;
    let usedBytes = 0;
    for (const segment of this.#segments) usedBytes += segment.sizeBytes;
    const sizeBytes = nextSegmentBytes(capacityBytes, usedBytes, segmentShift, slabShift);
    if (sizeBytes === 0 || number >= maxSegments(segmentShift)) return false;
    const segment = this.#backing.create(number, sizeBytes);
    if (segment === undefined) return false;
    try {
      writeSegmentHeader(segment.words, number, sizeBytes, poolUuid);
      format(segment);
    } catch (error) {
      this.#backing.discard(segment);
      throw error;
    }
    this.#replace({ segmentCount: number + 1 });
    this.#segments.push(segment);
    return true;
  }

  dropSegment(): void {
    this.#mustWrite();
    const number = this.#segments.length - 1;
    if (number === 0) fail('invalid_argument', 'segment 0 cannot be dropped');
    this.#replace({ segmentCount: number });
    this.#backing.release(this.#segments.pop() as Segment);
    this.#backing.remove(number);
  }

  ownerLives(slot: number): boolean {
    this.#mustBeOpen();
    if (!Number.isInteger(slot) || slot < 0 || slot >= this.#superblock.ownersMax) {
      fail('invalid_argument', `there is no owner slot ${slot}`);
    }
    if (slot === this.ownerSlot) return true;
    const state = load(this.#first().words, ownerWord(slot, ownerSlot.state));
    return this.#backing.isHeld(slot) ?? state === ownerLive;
  }

  reclaim(slot: number, clear: () => void): boolean {
    this.#mustWrite();
    const { words } = this.#first();
    if (slot === this.ownerSlot) return false;
    if (load(words, ownerWord(slot, ownerSlot.state)) === ownerFree) return false;
    const giveBack = this.#backing.hold?.(slot);
    if (giveBack === undefined) return false;
    try {
      clear();
      releaseOwnerSlot(words, slot);
      return true;
    } finally {
      giveBack();
    }
  }

  refresh(): void {
    this.#mustBeOpen();
    const { words } = this.#first();
    if (isUnchanged(words, this.#superblock)) return;
    settled(
      () => readSuperblock(words),
      (block) => this.#follow(block),
    );
  }

  /** Makes `segments` what `block` counts. */
  #follow(block: Superblock): void {
    if (block.sequence === this.#superblock.sequence) return;
    const gone = this.#segments.findIndex(
      (segment) => segment.number > 0 && !this.#stillCounted(segment, block),
    );
    if (gone > 0) for (const segment of this.#segments.splice(gone)) this.#backing.release(segment);
    while (this.#segments.length < block.segmentCount) {
      this.#segments.push(this.#backing.open(this.#segments.length, block));
    }
    this.#superblock = block;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.ownerSlot >= 0) releaseOwnerSlot(this.#first().words, this.ownerSlot);
      for (const segment of this.#segments) this.#backing.release(segment);
    } finally {
      this.#backing.close();
    }
  }

  #first(): Segment {
    return this.#segments[0] as Segment;
  }

  #stillCounted(segment: Segment, block: Superblock): boolean {
    return segment.number < block.segmentCount && this.#backing.isCurrent(segment, block);
  }

  #replace(change: Partial<Superblock>): void {
    const next = { ...this.#superblock, ...change, sequence: this.#superblock.sequence + 1 };
    writeSuperblock(this.#first().words, next);
    this.#superblock = next;
  }

  #mustBeOpen(): void {
    if (this.#closed) fail('pool_closed', 'the region is closed');
  }

  #mustWrite(): void {
    this.#mustBeOpen();
    if (this.ownerSlot !== 0)
      fail(
        'read_only',
        `owner slot ${this.ownerSlot} cannot change the region; only its writer can`,
      );
  }
}
