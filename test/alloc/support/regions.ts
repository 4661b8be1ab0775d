/** Regions for tests of the allocator. */

import { createSharedRegion } from '../../../src/memory/shared.ts';
import { segmentOver } from '../../../src/memory/region.ts';
import type { Region, RegionHandle, RegionOptions, Segment } from '../../../src/memory/region.ts';
import type { Superblock } from '../../../src/memory/superblock.ts';
import { fail } from '../../../src/errors.ts';
import { segmentLockWord } from '../../../src/memory/layout.ts';
import { lockClosed } from '../../../src/memory/lock.ts';
import {
  ownerFree,
  ownerLive,
  ownerSlot,
  ownerWord,
  raiseEpoch,
  freeOwnerSlot,
} from '../../../src/memory/owners.ts';
import { load, store } from '../../../src/memory/words.ts';
import { fillShared } from '../../support/fill.ts';
import { meetOutside } from '../../support/instrumented-words.ts';

export const kib: number = 2 ** 10;
export const mib: number = 2 ** 20;

/** A region as pools have it. */
export function sharedRegion(options: Partial<RegionOptions> & { capacityBytes: number }): Region {
  return createSharedRegion({
    poolUuid: '0123456789abcdef0123456789abcdef',
    hashSeedLow: 1,
    hashSeedHigh: 2,
    createdAtMs: 1_700_000_000_000,
    ...options,
  });
}

const segmentCountWord = 2048; // segment header of segment 0: unused by the allocator

export interface SmallRegionShape {
  readonly segmentBytes: readonly number[];
  readonly slabShift?: number;
}

/** What is known outside of the memory: who lives, and who is changing the region (-1 is nobody). */
interface Kernel {
  readonly lives: Set<number>;
  changing: number;
  /** Pages that the system has: number of the segment · 2^18 + page. */
  readonly absent: Set<number>;
  /** Pages that the system can still give. */
  sparePages: number;
}

const pageBytes = 4096;
/** What is in absent memory: whoever reads it finds this. */
const poison = 0xaa;

/**
 * A region of small segments whose owners can die and come back: `reopened` is what the next process
 * finds, `joined` what another owner has. Only what was committed by an access to memory outlives the
 * object.
 */
export class SmallRegion implements Region {
  readonly type: 'shared' | 'mapped' = 'shared';
  readOnly: boolean = false;
  ownerSlot: number = 0;
  slotAbandoned: boolean = false;
  slotSettled: boolean = true;
  readonly bootId: string = '0'.repeat(32);
  readonly segmentShift: number = 22;
  readonly slabShift: number;
  readonly segments: Segment[] = [];
  readonly handle: RegionHandle = { type: 'shared', buffers: [], segmentShift: 22 };
  readonly #all: readonly Segment[];
  readonly #kernel: Kernel;
  /** What addSegment throws next, if anything. */
  failure: Error | undefined;

  constructor(shape: SmallRegionShape, all?: readonly Segment[], kernel?: Kernel) {
    this.slabShift = shape.slabShift ?? 14;
    this.#all =
      all ??
      shape.segmentBytes.map((sizeBytes, number) =>
        segmentOver(new SharedArrayBuffer(sizeBytes), number, sizeBytes),
      );
    this.#kernel = kernel ?? {
      lives: new Set(),
      changing: -1,
      absent: new Set(),
      sparePages: Infinity,
    };
    if (all === undefined) store(this.#words, segmentCountWord, 1);
    this.refresh();
    if (kernel === undefined) this.#take(0);
  }

  get #words(): Segment['words'] {
    return (this.#all[0] as Segment).words;
  }

  #take(slot: number): void {
    meetOutside();
    const at = ownerWord(slot, ownerSlot.state);
    this.ownerSlot = slot;
    this.slotAbandoned = load(this.#words, at) !== ownerFree;
    raiseEpoch(this.#words, slot);
    store(this.#words, at, ownerLive);
    this.#kernel.lives.add(slot);
  }

  #another(): SmallRegion {
    const shape = { segmentBytes: [], slabShift: this.slabShift };
    return new SmallRegion(shape, this.#all, this.#kernel);
  }

  /** All that outlives this object. */
  get memory(): readonly ArrayBufferLike[] {
    return this.#all.map(({ words }) => words.buffer);
  }

  /** The owner of this slot has died; the next one in the slot finds this. */
  reopened(): SmallRegion {
    const region = this.#another();
    region.#take(this.ownerSlot);
    return region;
  }

  /** The same memory for another owner. */
  joined(slot: number): SmallRegion {
    const region = this.#another();
    region.#take(slot);
    return region;
  }

  /** This owner has died. */
  die(): void {
    meetOutside();
    this.#kernel.lives.delete(this.ownerSlot);
  }

  /** The same memory, opened for inspection. */
  inspected(): SmallRegion {
    const region = this.#another();
    region.readOnly = true;
    region.ownerSlot = -1;
    return region;
  }

  /** The allocator reads these fields of it. */
  get superblock(): Superblock {
    const capacityBytes = this.#all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { capacityBytes, ownersMax: 64 } as Superblock;
  }

  /** The allocator changes no field; whoever changes the region repairs it. */
  commit(): void {
    this.#alone(() => {
      this.refresh();
      for (const { words } of this.segments) {
        if (load(words, segmentLockWord) === lockClosed) store(words, segmentLockWord, 0);
      }
    });
  }

  addSegment(format: (segment: Segment) => void): boolean {
    if (this.failure !== undefined) throw this.failure;
    return this.#alone(() => {
      const known = this.segments.length;
      this.refresh();
      if (this.segments.length > known) return true;
      const segment = this.#all[known];
      if (segment === undefined) return false;
      store(segment.words, segmentLockWord, lockClosed);
      this.#fill(segment);
      format(segment);
      store(this.#words, segmentCountWord, known + 1);
      store(segment.words, segmentLockWord, 0);
      this.segments.push(segment);
      return true;
    });
  }

  dropSegment(): boolean {
    return this.#alone(() => {
      const last = this.segments.at(-1) as Segment;
      this.refresh();
      if (this.segments.at(-1) !== last) return false;
      store(last.words, segmentLockWord, lockClosed);
      store(this.#words, segmentCountWord, last.number);
      this.segments.pop();
      return true;
    });
  }

  /** As under the lock of a region, which is not waited for. */
  #alone<T>(change: () => T): T {
    meetOutside();
    if (this.#kernel.changing >= 0) fail('pool_busy', 'another owner is changing the region');
    this.#kernel.changing = this.ownerSlot;
    try {
      return change();
    } finally {
      meetOutside();
      this.#kernel.changing = -1;
    }
  }

  ownerLives(slot: number): boolean {
    meetOutside();
    return this.#kernel.lives.has(slot);
  }

  reclaim(slot: number, clear: () => void): boolean {
    meetOutside();
    if (load(this.#words, ownerWord(slot, ownerSlot.state)) === ownerFree) return false;
    if (this.#kernel.lives.has(slot)) return false;
    clear();
    freeOwnerSlot(this.#words, slot);
    return true;
  }

  giveBack({ number, bytes }: Segment, fromByte: number, toByte: number): number {
    meetOutside();
    const { absent } = this.#kernel;
    const before = absent.size;
    for (let at = fromByte; at < toByte; at += pageBytes) absent.add(pageKey(number, at));
    fillShared(bytes, poison, fromByte, toByte);
    this.#kernel.sparePages += absent.size - before;
    return (absent.size - before) * pageBytes;
  }

  takeAgain({ number, bytes }: Segment, fromByte: number, toByte: number): boolean {
    meetOutside();
    const { absent } = this.#kernel;
    for (let at = fromByte; at < toByte; at += pageBytes) {
      if (!absent.has(pageKey(number, at))) continue;
      if (this.#kernel.sparePages === 0) return false;
      this.#kernel.sparePages--;
      absent.delete(pageKey(number, at));
      fillShared(bytes, 0, at, at + pageBytes);
    }
    return true;
  }

  /** From now on the system has memory, or none. */
  setFull(isFull: boolean): void {
    meetOutside();
    this.#kernel.sparePages = isFull ? 0 : Infinity;
  }

  isAbsent(number: number, page: number): boolean {
    return this.#kernel.absent.has(pageKey(number, page * pageBytes));
  }

  /** As who opens with `own` does. */
  fillHoles(): void {
    for (const segment of this.#all) this.#fill(segment);
  }

  #fill({ number, sizeBytes, bytes }: Segment): void {
    meetOutside();
    const { absent } = this.#kernel;
    for (let at = 0; at < sizeBytes; at += pageBytes) {
      if (absent.delete(pageKey(number, at))) fillShared(bytes, 0, at, at + pageBytes);
    }
  }

  refresh(): void {
    const count = load(this.#words, segmentCountWord);
    this.segments.splice(count);
    this.segments.push(...this.#all.slice(this.segments.length, count));
  }

  close(): void {
    if (this.ownerSlot < 0) return;
    freeOwnerSlot(this.#words, this.ownerSlot);
    this.die();
  }
}

function pageKey(number: number, byte: number): number {
  return number * 2 ** 18 + byte / pageBytes;
}
