/** Regions for tests of the allocator. */

import { createSharedRegion } from '../../../src/memory/shared.ts';
import type { Region, RegionHandle, RegionOptions, Segment } from '../../../src/memory/region.ts';
import type { Superblock } from '../../../src/memory/superblock.ts';
import { load, store } from '../../../src/memory/words.ts';

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

/**
 * A region of small segments whose writer can die and come back: `reopened` is what the next
 * process finds. Only what was committed by an access to memory outlives the object.
 */
export class SmallRegion implements Region {
  readonly type: 'shared' | 'mapped' = 'shared';
  readOnly: boolean = false;
  ownerSlot: number = 0;
  readonly slotAbandoned: boolean = false;
  readonly bootId: string = '0'.repeat(32);
  readonly segmentShift: number = 22;
  readonly slabShift: number;
  readonly segments: Segment[] = [];
  readonly handle: RegionHandle = { type: 'shared', buffers: [], segmentShift: 22 };
  readonly #all: readonly Segment[];
  /** What addSegment throws next, if anything. */
  failure: Error | undefined;

  constructor(shape: SmallRegionShape, all?: readonly Segment[]) {
    this.slabShift = shape.slabShift ?? 14;
    this.#all =
      all ??
      shape.segmentBytes.map((sizeBytes, number) => {
        const buffer = new SharedArrayBuffer(sizeBytes);
        return { number, sizeBytes, words: new Int32Array(buffer), bytes: new Uint8Array(buffer) };
      });
    const { words } = this.#all[0] as Segment;
    if (all === undefined) store(words, segmentCountWord, 1);
    this.segments.push(...this.#all.slice(0, load(words, segmentCountWord)));
  }

  reopened(): SmallRegion {
    return new SmallRegion({ segmentBytes: [], slabShift: this.slabShift }, this.#all);
  }

  /** The same memory, opened for inspection. */
  inspected(): SmallRegion {
    const region = this.reopened();
    region.readOnly = true;
    region.ownerSlot = -1;
    return region;
  }

  /** The allocator reads one field of it. */
  get superblock(): Superblock {
    const capacityBytes = this.#all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { capacityBytes } as Superblock;
  }

  commit(): void {
    throw new Error('the allocator does not commit');
  }

  addSegment(format: (segment: Segment) => void): boolean {
    if (this.failure !== undefined) throw this.failure;
    const segment = this.#all[this.segments.length];
    if (segment === undefined) return false;
    format(segment);
    store((this.#all[0] as Segment).words, segmentCountWord, this.segments.length + 1);
    this.segments.push(segment);
    return true;
  }

  dropSegment(): boolean {
    store((this.#all[0] as Segment).words, segmentCountWord, this.segments.length - 1);
    this.segments.pop();
    return true;
  }

  ownerLives(slot: number): boolean {
    return slot === 0;
  }

  refresh(): void {} // one writer, no readers

  close(): void {} // nothing outside the heap
}
