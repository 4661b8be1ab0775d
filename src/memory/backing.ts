/** Where a region's memory comes from, and how a thread takes part in it: what shared and mapped regions differ in. */

import type { Patience } from './lock.ts';
import type { RegionHandle, Segment } from './region.ts';
import type { Superblock } from './superblock.ts';

/** Whole pages of a segment. */
export interface Range {
  readonly fromByte: number;
  readonly sizeBytes: number;
}

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
  /** Gives the memory of whole pages back that hold nothing. @returns how many bytes that was */
  giveBack(segment: Segment, range: Range): number;
  /** Reserves whole pages again, so that touching them can never fail. @returns false when there is no room */
  takeAgain(segment: Segment, range: Range): boolean;
  /** Lets a segment go in this thread. */
  release(segment: Segment): void;
  /** Removes the memory behind a segment that is no longer counted and has been released here. */
  remove(number: number): void;
  /** Whether the lock of an owner slot is held by someone else; undefined where there are no locks. */
  isHeld(slot: number): boolean | undefined;
  /** Takes the lock of an owner slot. @returns what gives it back; undefined when someone else holds it. Absent where there are no locks. */
  hold?(slot: number): (() => void) | undefined;
  /** After every segment was released. */
  close(): void;
}

/** How this thread takes part in a region. */
export interface Membership {
  readonly ownerSlot: number;
  readonly slotAbandoned: boolean;
  readonly readOnly: boolean;
  /** Default: defaultPatience. */
  readonly patience?: Patience;
}

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
