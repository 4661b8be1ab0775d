/**
 * The writer of a private copy: over a region opened for inspection, whose pages are copy-on-write. What is changed here is seen by
 * nobody else, so a pool whose owner died can be recovered and looked at without touching it.
 */

import { fail } from '../errors.ts';
import { raiseEpoch } from './owners.ts';
import type { Region, RegionHandle, Segment } from './region.ts';
import type { Superblock } from './superblock.ts';

export function privateRegion(inspected: Region): Region {
  if (!inspected.readOnly) fail('invalid_argument', 'Only an inspected region has private pages.');
  return new PrivateRegion(inspected);
}

class PrivateRegion implements Region {
  readonly readOnly = false;
  readonly ownerSlot = 0;
  readonly slotAbandoned = false;
  slotSettled = true;
  readonly #inspected: Region;
  #superblock: Superblock;

  constructor(inspected: Region) {
    this.#inspected = inspected;
    this.#superblock = inspected.superblock;
    // A life of its own, in pages of its own: the dead writer's locks are not this one's.
    const { words } = inspected.segments[0] as Segment;
    raiseEpoch(words, this.ownerSlot);
  }

  get type(): 'shared' | 'mapped' {
    return this.#inspected.type;
  }

  get bootId(): string {
    return this.#inspected.bootId;
  }

  get segmentShift(): number {
    return this.#inspected.segmentShift;
  }

  get slabShift(): number {
    return this.#inspected.slabShift;
  }

  get segments(): readonly Segment[] {
    return this.#inspected.segments;
  }

  get superblock(): Superblock {
    return this.#superblock;
  }

  get handle(): RegionHandle {
    return this.#inspected.handle;
  }

  commit(change: Partial<Superblock>): void {
    this.#superblock = { ...this.#superblock, ...change };
  }

  addSegment(): boolean {
    return false;
  }

  dropSegment(): boolean {
    return fail('read_only', 'A private copy keeps its segments.');
  }

  ownerLives(slot: number): boolean {
    return this.#inspected.ownerLives(slot);
  }

  refresh(): void {}

  close(): void {
    this.#inspected.close();
  }
}
