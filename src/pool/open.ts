/** openPool: the one entrance of the library. */

import { systemClock } from '../base/clock.ts';
import { freshSeed } from '../base/random.ts';
import { fail } from '../errors.ts';
import { roundCapacity } from '../memory/geometry.ts';
import { freshIdentity } from '../memory/identity.ts';
import { openMappedRegion } from '../memory/mapped.ts';
import { privateRegion } from '../memory/private-region.ts';
import type { Region, RegionOptions } from '../memory/region.ts';
import { attachSharedRegion, createSharedRegion } from '../memory/shared.ts';
import { copyNamed } from '../store/copy.ts';
import { attachStore, isComplete, openStore } from '../store/open.ts';
import type { StoreOptions } from '../store/options.ts';
import type { Store } from '../store/store.ts';
import type { Lease, OpenOptions, Pool, PoolHandle } from './api.ts';
import { limitFor, resize } from './capacity.ts';
import {
  attachDisk,
  isLost,
  isOf,
  openDisk,
  reserveOf,
  type OpenedDisk,
  type Restoring,
  wipeMemory,
} from './open-tiers.ts';
import { checkOpenOptions, zeroKindsOf } from './options.ts';
import { StorePool } from './pool.ts';
import { Tiers } from './tiers.ts';
import type { Disk } from '../tier/disk.ts';

const defaultCapacityBytes: number = 256 * 2 ** 20;

/**
 * Opens or creates a pool.
 *
 * - `path`: a mapped pool that outlives the process; one writer, `pool_busy` for a second.
 * - no `path`: shared memory of this process.
 * - `handle`: joins the pool of another thread, for reading.
 * - `path` and `readOnly`: looks on without owning; a pool whose owner died is recovered in private memory.
 *
 * @throws pool_busy, not_a_pool, pool_corrupt, format_unsupported, memory_unavailable, koffi_missing, invalid_argument
 * @example
 * const pool = await openPool({ path: './pools/acme', capacityBytes: 2 * 2 ** 30 });
 * pool.put('chat-42', 'tokens', Uint32Array.of(1, 2, 3));
 */
export async function openPool(options: OpenOptions = {}): Promise<Pool> {
  checkOpenOptions(options);
  if (options.handle !== undefined) return join(options.handle, options);
  if (options.readOnly === true) return inspect(options.path as string, options);
  return options.tiers?.disk === undefined ? own(options) : ownWithDisk(options);
}

function own(options: OpenOptions): Pool {
  const region =
    options.path === undefined
      ? createSharedRegion(regionOptions(options))
      : openMappedRegion(options.path, 'own', regionOptions(options));
  return closingOnError(region, () => new StorePool(storeOver(region, options), options.path));
}

function storeOver(region: Region, options: OpenOptions): Store {
  const { store } = openStore(region, { zeroKinds: zeroKindsOf(options) }, storeOptions(options));
  const { capacityBytes } = region.superblock;
  store.allocator.setLimitBytes(limitFor(store, capacityBytes));
  if (options.capacityBytes !== undefined && options.capacityBytes !== capacityBytes) {
    resize(store, roundCapacity(options.capacityBytes));
  }
  return store;
}

async function ownWithDisk(options: OpenOptions): Promise<Pool> {
  const opened = await openDisk(options);
  const { disk, maxBytes } = opened;
  let region: Region | undefined;
  try {
    region = await regionOver(options, opened);
    const restoring = restoringOf(region, disk);
    const store = storeOver(region, options);
    if (restoring === 'all') await disk.setRebuild('filling');
    const tier = await attachDisk(store, opened, restoring, options);
    return new StorePool(
      store,
      options.path,
      new Tiers(store, tier, maxBytes, reserveOf(store, options)),
    );
  } catch (error) {
    region?.close();
    await disk.close();
    throw error;
  }
}

/** The memory of a pool with a disk tier. What a power loss has left of it is not trusted: it is made anew, with the identity that the disk knows. */
async function regionOver(options: OpenOptions, { disk, step }: OpenedDisk): Promise<Region> {
  const path = options.path as string;
  const identity = disk.identity();
  const asked = { ...regionOptions(options), ...(identity && { poolUuid: identity.poolUuid }) };
  if (disk.rebuild?.phase !== 'wiping') {
    const region = openMappedRegion(path, 'own', asked);
    if (!isOfClosing(disk, region) || !isLost(region)) return region;
    region.close();
  }
  await disk.setRebuild('wiping');
  step('rebuild:begin');
  wipeMemory(path, step);
  return openMappedRegion(path, 'own', asked);
}

function isOfClosing(disk: Disk, region: Region): boolean {
  return closingOnError(region, () => isOf(disk, region));
}

/** What memory lacks of what the disk has. */
function restoringOf(region: Region, disk: Disk): Restoring {
  if (disk.identity() === undefined) return 'nothing';
  if (region.superblock.rootParts === 0 || disk.rebuild !== undefined) return 'all';
  return region.superblock.bootId === region.bootId ? 'nothing' : 'stale';
}

function join(handle: PoolHandle, options: OpenOptions): Pool {
  const target = handle?.region;
  if (target?.type !== 'shared' && target?.type !== 'mapped') {
    fail('invalid_argument', 'handle must be the handle of an open pool.');
  }
  const region =
    target.type === 'shared' ? attachSharedRegion(target) : openMappedRegion(target.path, 'join');
  const path = target.type === 'mapped' ? target.path : undefined;
  return closingOnError(
    region,
    () => new StorePool(attachStore(region, storeOptions(options)), path),
  );
}

function inspect(path: string, options: OpenOptions): Pool {
  const region = openMappedRegion(path, 'inspect');
  return closingOnError(region, () => new InspectedPool(inspectStore(region, options), path));
}

/** A pool that its last owner did not leave complete and that nobody owns is recovered in private pages; any other is looked at as it is. */
function inspectStore(region: Region, options: OpenOptions): Store {
  if (isComplete(region) || region.superblock.rootParts === 0 || region.ownerLives(0)) {
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
    const copy = store.follower.settled(() => copyNamed(store, id, part));
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

function storeOptions(options: OpenOptions): StoreOptions {
  return {
    clock: options.clock ?? systemClock,
    seed: options.seed ?? freshSeed(),
    eviction: options.eviction ?? 'lru',
    checksums: options.checksums ?? true,
    hooks: options.hooks ?? {},
  };
}
