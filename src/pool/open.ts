/** openPool: the one entrance of the library. */

import { systemClock, systemWaiter } from '../base/clock.ts';
import { freshSeed } from '../base/random.ts';
import { fail, hasCode } from '../errors.ts';
import { freshIdentity } from '../memory/identity.ts';
import { defaultLockWaitMs, type Patience } from '../memory/lock.ts';
import { openMappedRegion } from '../memory/mapped.ts';
import { privateRegion } from '../memory/private-region.ts';
import type { Region, RegionOptions } from '../memory/region.ts';
import { attachSharedRegion, createSharedRegion } from '../memory/shared.ts';
import { copyNamed } from '../store/copy.ts';
import { attachStore, isComplete, openStore } from '../store/open.ts';
import { othersHaveOpened } from '../store/opened.ts';
import type { StoreOptions } from '../store/options.ts';
import type { Store } from '../store/store.ts';
import type { DiskHandle, Lease, OpenOptions, Pool, PoolHandle } from './api.ts';
import { limitFor, resizeAsAsked } from './capacity.ts';
import {
  attachDisk,
  diskOf,
  openDisk,
  openRegionWithDisk,
  refuseWithoutDisk,
  restoringOf,
} from './open-tiers.ts';
import { checkOpenOptions, zeroKindsOf } from './options.ts';
import { StorePool } from './pool.ts';

const defaultCapacityBytes: number = 256 * 2 ** 20;
/** Between two looks at a pool that somebody is about to make. */
const makingPauseMs = 1;

/**
 * Opens or creates a pool.
 *
 * - `path`: a mapped pool that outlives the process. Any number of threads and processes, up to `ownersMax`, read and write it at once.
 * - no `path`: shared memory of this process.
 * - `handle`: joins the pool of another thread.
 * - `path` and `readOnly`: looks on without owning; a pool whose owners died is recovered in private memory.
 *
 * @throws pool_busy, not_a_pool, pool_corrupt, format_unsupported, memory_unavailable, koffi_missing, invalid_argument
 * @example
 * const pool = await openPool({ path: './pools/acme', capacityBytes: 2 * 2 ** 30 });
 * pool.put('chat-42', 'tokens', Uint32Array.of(1, 2, 3));
 */
export async function openPool(options: OpenOptions = {}): Promise<Pool> {
  checkOpenOptions(options);
  const disk = diskOf(options);
  if (disk !== undefined) return openWithDisk(options, disk);
  if (options.handle !== undefined) return join(options.handle, options);
  if (options.readOnly === true) return inspect(options.path as string, options);
  if (options.path !== undefined) refuseWithoutDisk(options.path);
  return own(options);
}

function own(options: OpenOptions): Pool {
  const region =
    options.path === undefined
      ? createSharedRegion(regionOptions(options), patienceOf(options))
      : openRegionOf(options.path, regionOptions(options), patienceOf(options));
  return openOver(region, options, options.path);
}

/** A pool for an owner of the region. */
function openOver(region: Region, options: OpenOptions, path: string | undefined): Pool {
  return closingOnError(region, () => {
    const store = storeOver(region, options);
    resizeAsAsked(store, options.capacityBytes);
    return new StorePool(store, path);
  });
}

function storeOver(region: Region, options: OpenOptions): Store {
  const { exclusive, lockWaitMs } = options;
  const choices = { zeroKinds: zeroKindsOf(options), exclusive, lockWaitMs };
  const { store, isFirst } = openStore(region, choices, storeOptions(options));
  if (isFirst) store.allocator.setLimitBytes(limitFor(store, region.superblock.capacityBytes));
  return store;
}

/** The same for a mapped pool with a disk tier. */
async function openWithDisk(options: OpenOptions, choice: DiskHandle): Promise<Pool> {
  const opened = await openDisk(choice, options);
  let region: Region | undefined;
  try {
    region = await openRegionWithDisk(opened, (shape) =>
      openRegionOf(
        choice.poolPath,
        { ...regionOptions({ ...shape, ...options }), ...(shape && { poolUuid: shape.poolUuid }) },
        patienceOf(options),
      ),
    );
    const restoring = restoringOf(region, opened.disk);
    const store = storeOver(region, options);
    const tiers = await attachDisk(store, opened, restoring, options);
    return new StorePool(store, choice.poolPath, tiers);
  } catch (error) {
    region?.close();
    await opened.disk.close();
    throw error;
  }
}

/** Takes slot 0 of a mapped region where it is free, any other where somebody has it. @throws pool_busy when none is free */
function openRegionOf(path: string, region: RegionOptions, patience: Patience): Region {
  const { waitMs, waiter } = patience;
  const startedMs = waiter.nowMs();
  for (;;) {
    try {
      return openMappedRegion(path, 'own', region, undefined, patience);
    } catch (error) {
      if (!hasCode(error, 'pool_busy')) throw error;
    }
    try {
      return openMappedRegion(path, 'join', undefined, undefined, patience);
    } catch (error) {
      if (hasCode(error, 'too_many_owners')) fail('pool_busy', error.message, error);
      // Whoever has slot 0 may just be making the pool.
      if (!hasCode(error, 'not_a_pool') || waiter.nowMs() - startedMs >= waitMs) throw error;
    }
    waiter.pause(makingPauseMs);
  }
}

function join(handle: PoolHandle, options: OpenOptions): Pool {
  const target = handle?.region;
  if (target?.type !== 'shared' && target?.type !== 'mapped') {
    fail('invalid_argument', 'handle must be the handle of an open pool.');
  }
  const patience = patienceOf(options);
  if (target.type === 'shared') {
    return openOver(attachSharedRegion(target, patience), options, undefined);
  }
  const region = openMappedRegion(target.path, 'join', undefined, undefined, patience);
  return openOver(region, options, target.path);
}

function inspect(path: string, options: OpenOptions): Pool {
  const region = openMappedRegion(path, 'inspect');
  return closingOnError(region, () => new InspectedPool(inspectStore(region, options), path));
}

/** A pool that its last owner did not leave complete and that nobody owns is recovered in private pages; any other is looked at as it is. */
function inspectStore(region: Region, options: OpenOptions): Store {
  if (isComplete(region) || region.superblock.rootParts === 0 || othersHaveOpened(region)) {
    return attachStore(region, storeOptions(options));
  }
  return openStore(privateRegion(region), { zeroKinds: 0 }, storeOptions(options)).store;
}

class InspectedPool extends StorePool {
  override readonly readOnly: boolean = true;
  readonly #inspected: Store;

  constructor(store: Store, path: string) {
    super(store, path);
    this.#inspected = store;
  }

  /** A lease would be a write into pages that are then this process's own, and never show what the owner does again. */
  override get(id: string, part: string): Lease | undefined {
    const store = this.#inspected;
    if (store.closed) fail('pool_closed', 'This pool was closed.');
    const copy = copyNamed(store, id, part);
    if (copy !== undefined) store.hooks.record('get', id, part, copy.version);
    return copy;
  }
}

function closingOnError<T>(region: Region, work: () => T): T {
  try {
    return work();
  } catch (error) {
    region.close();
    throw error;
  }
}

function regionOptions(options: OpenOptions): RegionOptions {
  return {
    ...freshIdentity(options.clock ?? systemClock),
    capacityBytes: options.capacityBytes ?? defaultCapacityBytes,
    maxCapacityBytes: options.maxCapacityBytes,
    segmentBytes: options.segmentBytes,
    ownersMax: options.ownersMax,
  };
}

function patienceOf({ lockWaitMs = defaultLockWaitMs }: OpenOptions): Patience {
  return { waitMs: lockWaitMs, waiter: systemWaiter };
}

function storeOptions(options: OpenOptions): StoreOptions {
  return {
    lockWaitMs: options.lockWaitMs ?? defaultLockWaitMs,
    clock: options.clock ?? systemClock,
    seed: options.seed ?? freshSeed(),
    eviction: options.eviction ?? 'lru',
    checksums: options.checksums ?? true,
    hooks: options.hooks ?? {},
  };
}
