/**
 * The rules that shared and mapped regions have in common; where segments come from is the backing's matter.
 *
 * Every owner may change the region: superblocks are written and segments come and go under the region's lock, by whoever has it. Inheriting
 * it from the dead means to finish what they were at: `#repair`.
 */

import { fail } from '../errors.ts';
import type { Backing, Membership } from './backing.ts';
import { settled } from './backing.ts';
import { maxSegments, nextSegmentBytes } from './geometry.ts';
import { fixedPrefixBytes, regionLockWord, segmentLockWord } from './layout.ts';
import {
  defaultPatience,
  lock,
  lockClosed,
  lockTokenOf,
  lockWaitOf,
  tryLock,
  unlock,
} from './lock.ts';
import type { LockWait } from './lock.ts';
import {
  abandonOwnerSlot,
  abandonSlotsOf,
  freeOwnerSlot,
  ownerAbandoned,
  ownerFree,
  ownerLive,
  ownerSlot,
  ownerWord,
} from './owners.ts';
import { pageBytes } from './region.ts';
import type { Region, RegionHandle, Segment } from './region.ts';
import { writeSegmentHeader } from './segment-header.ts';
import { isUnchanged, markOf, readSuperblock, writeSuperblock } from './superblock.ts';
import type { Superblock } from './superblock.ts';
import { load, store } from './words.ts';
import type { Words } from './words.ts';

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

function mustBeRange({ number, sizeBytes }: Segment, fromByte: number, toByte: number): void {
  const whole = Number.isInteger(fromByte) && Number.isInteger(toByte);
  if (!whole || fromByte < fixedPrefixBytes || toByte < fromByte || toByte > sizeBytes) {
    fail(
      'invalid_argument',
      `segment ${number} has no bytes from ${fromByte} to ${toByte} to give`,
    );
  }
}

export class BackedRegion implements Region {
  readonly type: 'shared' | 'mapped';
  readonly readOnly: boolean;
  readonly ownerSlot: number;
  readonly slotAbandoned: boolean;
  slotSettled: boolean;
  readonly bootId: string;
  readonly segmentShift: number;
  readonly slabShift: number;
  readonly segments: readonly Segment[];
  readonly #segments: Segment[];
  readonly #backing: Backing;
  readonly #token: number;
  readonly #wait: LockWait;
  /** The words of segment 0, which is there as long as the region. */
  readonly #words: Words;
  #superblock: Superblock;
  /** Of #superblock: what refresh compares. */
  #mark: number;
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
    this.slotSettled = !member.slotAbandoned;
    this.bootId = bootId;
    this.segmentShift = block.segmentShift;
    this.slabShift = block.slabShift;
    this.segments = segments;
    this.#segments = segments;
    this.#backing = backing;
    this.#words = (segments[0] as Segment).words;
    this.#superblock = block;
    this.#mark = markOf(block);
    this.#token = this.ownerSlot < 0 ? 0 : lockTokenOf(this);
    const { waitMs, waiter } = member.patience ?? defaultPatience;
    this.#wait = lockWaitOf(this, waitMs, waiter);
  }

  get superblock(): Superblock {
    return this.#superblock;
  }

  get handle(): RegionHandle {
    return this.#backing.handle;
  }

  commit(change: Partial<Superblock>): void {
    this.#mustWrite();
    this.#locked(() => {
      for (const name of fixedFields) {
        const value = change[name];
        if (value !== undefined && value !== this.#superblock[name])
          fail('invalid_argument', `commit cannot change ${name} to ${value}`);
      }
      this.#replace(change);
    });
  }

  addSegment(format: (segment: Segment) => void): boolean {
    this.#mustWrite();
    const known = this.#segments.length;
    return this.#locked(() => this.#segments.length > known || this.#add(format));
  }

  #add(format: (segment: Segment) => void): boolean {
    const { capacityBytes, segmentShift, slabShift, poolUuid } = this.#superblock;
    const number = this.#segments.length;
    let usedBytes = 0;
    for (const segment of this.#segments) usedBytes += segment.sizeBytes;
    const sizeBytes = nextSegmentBytes(capacityBytes, usedBytes, segmentShift, slabShift);
    if (sizeBytes === 0 || number >= maxSegments(segmentShift)) return false;
    const segment = this.#backing.create(number, sizeBytes);
    if (segment === undefined) return false;
    try {
      store(segment.words, segmentLockWord, lockClosed);
      writeSegmentHeader(segment.words, number, sizeBytes, poolUuid);
      format(segment);
    } catch (error) {
      this.#backing.discard(segment);
      throw error;
    }
    this.#replace({ segmentCount: number + 1 });
    // Whoever still has a view of an earlier segment in this memory can take its lock only now, and then sees that the region has changed.
    store(segment.words, segmentLockWord, 0);
    this.#segments.push(segment);
    return true;
  }

  dropSegment(): boolean {
    this.#mustWrite();
    const last = this.#segments.at(-1) as Segment;
    if (last.number === 0) fail('invalid_argument', 'segment 0 cannot be dropped');
    return this.#locked(() => {
      if (this.#segments.at(-1) !== last) return false;
      const held = load(last.words, segmentLockWord) === this.#token;
      if (!held && !tryLock(last.words, segmentLockWord, this.#token)) return false;
      store(last.words, segmentLockWord, lockClosed);
      this.#replace({ segmentCount: last.number });
      this.#segments.pop();
      this.#backing.release(last);
      this.#backing.remove(last.number);
      return true;
    });
  }

  ownerLives(slot: number): boolean {
    this.#mustBeOpen();
    this.#mustBeSlot(slot);
    if (slot === this.ownerSlot) return true;
    // A slot that is being reclaimed is held, but not by its owner: the state says so.
    if (this.#stateOf(slot) !== ownerLive) return false;
    return this.#backing.isHeld(slot) ?? true;
  }

  threadExited(threadId: number): readonly number[] {
    if (this.#closed || this.type === 'mapped') return [];
    return abandonSlotsOf(this.#words, this.#superblock.ownersMax, threadId);
  }

  reclaim(slot: number, clear: () => void): boolean {
    this.#mustWrite();
    this.#mustBeSlot(slot);
    if (slot === this.ownerSlot || this.#stateOf(slot) === ownerFree) return false;
    const giveBack =
      this.#backing.hold === undefined ? this.#holdByWord(slot) : this.#backing.hold(slot);
    if (giveBack === undefined) return false;
    try {
      // Only now: another survivor may have been faster, and somebody have the slot since. Whose lock in a mapped region we have is dead.
      const state = this.#stateOf(slot);
      if (this.#backing.hold === undefined ? state !== ownerAbandoned : state === ownerFree)
        return false;
      abandonOwnerSlot(this.#words, slot);
      clear();
      freeOwnerSlot(this.#words, slot);
      return true;
    } finally {
      giveBack();
    }
  }

  giveBack(segment: Segment, fromByte: number, toByte: number): number {
    this.#mustWrite();
    mustBeRange(segment, fromByte, toByte);
    const from = Math.ceil(fromByte / pageBytes) * pageBytes;
    const sizeBytes = Math.floor(toByte / pageBytes) * pageBytes - from;
    if (sizeBytes <= 0 || this.#segments[segment.number] !== segment) return 0;
    return this.#backing.giveBack(segment, { fromByte: from, sizeBytes });
  }

  takeAgain(segment: Segment, fromByte: number, toByte: number): boolean {
    this.#mustWrite();
    mustBeRange(segment, fromByte, toByte);
    const from = Math.floor(fromByte / pageBytes) * pageBytes;
    const sizeBytes = Math.ceil(toByte / pageBytes) * pageBytes - from;
    if (this.#segments[segment.number] !== segment) return false;
    return sizeBytes === 0 || this.#backing.takeAgain(segment, { fromByte: from, sizeBytes });
  }

  refresh(): void {
    this.#mustBeOpen();
    if (isUnchanged(this.#words, this.#mark)) return;
    settled(
      () => readSuperblock(this.#words),
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
    this.#mark = markOf(block);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.ownerSlot >= 0 && this.slotSettled) freeOwnerSlot(this.#words, this.ownerSlot);
      else if (this.ownerSlot >= 0) abandonOwnerSlot(this.#words, this.ownerSlot);
      for (const segment of this.#segments) this.#backing.release(segment);
    } finally {
      this.#backing.close();
    }
  }

  #stateOf(slot: number): number {
    return load(this.#words, ownerWord(slot, ownerSlot.state));
  }

  #stillCounted(segment: Segment, block: Superblock): boolean {
    return segment.number < block.segmentCount && this.#backing.isCurrent(segment, block);
  }

  /** Keeps other survivors from reclaiming a slot. */
  #holdByWord(slot: number): (() => void) | undefined {
    const at = ownerWord(slot, ownerSlot.reclaimLock);
    const outcome = lock(this.#words, at, this.#token, { ...this.#wait, waitMs: 0 });
    return outcome === 'busy' ? undefined : () => unlock(this.#words, at);
  }

  /** Runs `change` as the only owner who changes the region, on the region as it is now. @throws pool_busy */
  #locked<T>(change: () => T): T {
    const outcome = lock(this.#words, regionLockWord, this.#token, this.#wait);
    if (outcome === 'busy') {
      fail('pool_busy', `another owner has been changing the region for ${this.#wait.waitMs} ms`);
    }
    try {
      if (outcome === 'inherited') this.#repair();
      else this.refresh();
      return change();
    } finally {
      unlock(this.#words, regionLockWord);
    }
  }

  /**
   * Finishes what the last holder of the lock was at when it died: both superblocks say what the newer one says, and each segment that is
   * counted can be locked. Files and buffers that are not counted are written over by the next growth.
   */
  #repair(): void {
    const block = readSuperblock(this.#words);
    writeSuperblock(this.#words, { ...block, sequence: block.sequence + 1 });
    this.refresh();
    for (const segment of this.#segments) {
      if (load(segment.words, segmentLockWord) === lockClosed)
        store(segment.words, segmentLockWord, 0);
    }
  }

  #replace(change: Partial<Superblock>): void {
    const next = { ...this.#superblock, ...change, sequence: this.#superblock.sequence + 1 };
    writeSuperblock(this.#words, next);
    this.#superblock = next;
    this.#mark = markOf(next);
  }

  #mustBeOpen(): void {
    if (this.#closed) fail('pool_closed', 'the region is closed');
  }

  #mustBeSlot(slot: number): void {
    if (!Number.isInteger(slot) || slot < 0 || slot >= this.#superblock.ownersMax) {
      fail('invalid_argument', `there is no owner slot ${slot}`);
    }
  }

  #mustWrite(): void {
    this.#mustBeOpen();
    if (this.ownerSlot < 0) fail('read_only', 'an inspection cannot change the region');
  }
}
