/**
 * A pool over plain shared buffers that a test keeps: it can be left as a crash leaves it and opened again over the same memory, as its
 * owner, and the memory can be copied and put back.
 */

import { systemWaiter } from '../../src/base/clock.ts';
import type { OpenChoices } from '../../src/store/open.ts';
import { openStore } from '../../src/store/open.ts';
import { reachable, type RecoveryReport } from '../../src/store/recover.ts';
import type { StoreOptions } from '../../src/store/options.ts';
import type { Store } from '../../src/store/store.ts';
import { BackedRegion } from '../../src/memory/backed-region.ts';
import type { Backing, Range } from '../../src/memory/backing.ts';
import { ownerAbandoned, ownerSlot, ownerWord, takeOwnerSlot } from '../../src/memory/owners.ts';
import { thisOwner } from '../../src/memory/process.ts';
import { segmentOver, wordsOf } from '../../src/memory/region.ts';
import type { Ref, Region, RegionHandle, RegionOptions, Segment } from '../../src/memory/region.ts';
import { readSegmentSize } from '../../src/memory/segment-header.ts';
import { attachSharedRegion, createSharedRegion } from '../../src/memory/shared.ts';
import { readSuperblock, type Superblock } from '../../src/memory/superblock.ts';
import { limitFor } from '../../src/pool/capacity.ts';
import { StorePool } from '../../src/pool/pool.ts';
import { bringUpToDate } from './copies.ts';
import { fillShared } from './fill.ts';
import { meetOutside } from './instrumented-words.ts';

export type SharedHandle = Extract<RegionHandle, { type: 'shared' }>;

/** Segments over the buffers of a shared region, whoever wrote them. */
class KeptBacking implements Backing {
  readonly handle: SharedHandle;

  constructor(handle: SharedHandle) {
    this.handle = handle;
  }

  create(number: number, sizeBytes: number): Segment | undefined {
    const buffer = this.handle.buffers[number];
    if (buffer === undefined) return undefined;
    meetOutside();
    fillShared(new Uint8Array(buffer), 0);
    return segmentOver(buffer, number, sizeBytes);
  }

  open(number: number, pool: Superblock): Segment {
    const buffer = this.handle.buffers[number] as SharedArrayBuffer;
    return segmentOver(buffer, number, readSegmentSize(wordsOf(buffer), number, pool));
  }

  isCurrent(segment: Segment, pool: Superblock): boolean {
    return readSegmentSize(segment.words, segment.number, pool) === segment.sizeBytes;
  }

  /** What was given back and is looked at all the same shows. */
  giveBack({ bytes }: Segment, { fromByte, sizeBytes }: Range): number {
    meetOutside();
    fillShared(bytes, 0xaa, fromByte, fromByte + sizeBytes);
    return sizeBytes;
  }

  takeAgain(): boolean {
    return true;
  }

  discard(): void {}
  release(): void {}
  remove(): void {}
  close(): void {}
  isHeld(): undefined {}
}

/** Fixed identity: the same memory for the same operations. */
export const fixedIdentity = {
  poolUuid: '0123456789abcdef0123456789abcdef',
  hashSeedLow: 0x1234567,
  hashSeedHigh: -0x7654321,
  createdAtMs: 1_700_000_000_000,
  bootId: 'fedcba9876543210fedcba9876543210',
} as const;

/** Of a store whose clock stands still, and that waits for nobody. */
export const stillOptions: StoreOptions = {
  clock: { nowMs: () => 1_700_000_000_000 },
  seed: 1,
  eviction: 'lru',
  checksums: true,
  hooks: {},
  lockWaitMs: 0,
};

/** The buffers of a new region that no pool has been put into yet. */
export function newMemory(
  options: Pick<RegionOptions, 'capacityBytes' | 'maxCapacityBytes' | 'segmentBytes'>,
): SharedHandle {
  const region = createSharedRegion({ ...fixedIdentity, ...options });
  return region.handle as SharedHandle;
}

/** The region over buffers, in slot 0: a new life each time, so that the locks of an earlier one are inherited. */
export function ownRegion(handle: SharedHandle): Region {
  const backing = new KeptBacking(handle);
  const block = readSuperblock(wordsOf(handle.buffers[0] as SharedArrayBuffer));
  const segments = Array.from({ length: block.segmentCount }, (_, n) => backing.open(n, block));
  const slotAbandoned = takeOwnerSlot((segments[0] as Segment).words, 0, thisOwner());
  const member = { ownerSlot: 0, slotAbandoned, readOnly: false };
  return new BackedRegion(backing, block, segments, member, fixedIdentity.bootId);
}

export interface OwnedPool {
  readonly pool: StorePool;
  readonly store: Store;
  /** Present when the last owner did not close the pool. */
  readonly recovery: RecoveryReport | undefined;
}

/** Opens a region as openPool does, and shows what is inside. */
export function ownPool(
  region: Region,
  options: StoreOptions,
  choices: OpenChoices = { zeroKinds: 0 },
): OwnedPool {
  const { store, recovery } = openStore(region, choices, options);
  store.allocator.setLimitBytes(limitFor(store, region.superblock.capacityBytes));
  return { pool: new StorePool(store, undefined), store, recovery };
}

/** Blocks that neither a part nor the store itself holds. */
export function leakedBlocks(store: Store): Ref[] {
  const held = reachable(store);
  const leaked: Ref[] = [];
  store.allocator.walk(({ ref }) => void (held.has(ref) || leaked.push(ref)));
  return leaked;
}

/** Another owner of a pool that is open, in a slot of its own. */
export function anotherPool(
  handle: SharedHandle,
  options: StoreOptions,
  choices: OpenChoices = { zeroKinds: 0 },
): OwnedPool {
  const patience = { waitMs: options.lockWaitMs ?? 0, waiter: systemWaiter };
  return ownPool(attachSharedRegion(handle, patience), options, choices);
}

/** The owner of a slot has died. */
export function abandon(handle: SharedHandle, slot: number): void {
  const words = wordsOf(handle.buffers[0] as SharedArrayBuffer);
  Atomics.store(words, ownerWord(slot, ownerSlot.state), ownerAbandoned);
}

/** A copy of all memory of a region. */
export function copyMemory(handle: SharedHandle): Uint8Array[] {
  return handle.buffers.map((buffer) => new Uint8Array(buffer).slice());
}

export function restoreMemory(handle: SharedHandle, copy: readonly Uint8Array[]): void {
  for (const [n, bytes] of copy.entries()) {
    bringUpToDate(handle.buffers[n] as SharedArrayBuffer, bytes.buffer);
  }
}
