/** The tiers of a pool, as its surface uses them. */

import { fail } from '../errors.ts';
import type { Region } from '../memory/region.ts';
import { partNamed, recordNamed } from '../store/stable.ts';
import type { Store } from '../store/store.ts';
import { coldParts, ColdSweep, deleteCold, invalidateCold } from '../tier/cold.ts';
import type { Disk, DiskIdentity } from '../tier/disk.ts';
import { Demoter } from '../tier/demoter.ts';
import { partKey } from '../tier/disk-key.ts';
import type { DiskTier } from '../tier/disk-tier.ts';
import { throwIfAborted } from '../tier/persisted.ts';
import { load, loadVersion } from '../tier/promote.ts';
import { syncMemory } from './sync-memory.ts';
import type {
  DiskHandle,
  DiskStats,
  Lease,
  LoadOptions,
  PartVersion,
  PersistOptions,
  Place,
} from './api.ts';
import { checkOptions, textGiven, wholeFrom } from './options.ts';

export class Tiers {
  readonly #store: Store;
  readonly disk: DiskTier | undefined;
  /** For those who join: where the disk is. */
  readonly choice: DiskHandle | undefined;
  readonly #demoter: Demoter | undefined;
  readonly #sweep: ColdSweep | undefined;

  /** `disk`: undefined where there is none. */
  constructor(
    store: Store,
    disk?: DiskTier,
    choice?: DiskHandle & { readonly reserveBytes: number },
  ) {
    this.#store = store;
    this.disk = disk;
    this.choice = choice;
    this.#sweep = disk && new ColdSweep(disk);
    const reserveBytes = choice?.reserveBytes ?? 0;
    if (disk === undefined || reserveBytes === 0) return;
    this.#demoter = new Demoter(disk, reserveBytes);
    this.#demoter.wrote(0);
  }

  get hasDisk(): boolean {
    return this.disk !== undefined;
  }

  /** @throws tier_unavailable, and as DiskTier */
  async persist(id: string, what: string | PersistOptions): Promise<void> {
    const options: PersistOptions = typeof what === 'string' ? { part: what } : what;
    checkOptions(options);
    const { part, signal } = options;
    throwIfAborted(signal);
    this.#store.key.set(id, part ?? '-');
    const disk = this.disk;
    if (disk === undefined) {
      fail(
        'tier_unavailable',
        `${JSON.stringify(id)} cannot be persisted: the pool has no disk tier.`,
      );
    }
    const work = disk.underWay.run(() => disk.persist(id, part, signal));
    await abortable(work, signal);
  }

  /** @throws tier_unavailable, and as `load` of the disk tier */
  async load(
    id: string,
    part: string,
    { version, signal }: LoadOptions,
  ): Promise<Lease | undefined> {
    if (version !== undefined) return this.#loadVersion(id, part, version, signal);
    const disk = this.disk;
    if (disk !== undefined) {
      // What comes back must not push out what has no record yet: a load can wait for the demoter, as a put cannot.
      if (this.#demoter?.isRunning === true) await this.#demoter.idle();
      const lease = await disk.underWay.run(() => load(disk, id, part, signal));
      // It may have come back to memory.
      if (lease !== undefined) this.#demoter?.wrote(lease.sizeBytes);
      return lease;
    }
    const lease = this.#store.get(id, part);
    if (lease !== undefined) return lease;
    return fail(
      'tier_unavailable',
      `Part ${JSON.stringify(part)} of ${JSON.stringify(id)} is not hot, and the pool has no other tier.`,
    );
  }

  /** A version that is kept; undefined: it is not. @throws as `load` */
  async #loadVersion(
    id: string,
    part: string,
    version: number,
    signal: AbortSignal | undefined,
  ): Promise<Lease | undefined> {
    wholeFrom(1, version, 'version');
    const lease = this.#store.get(id, part);
    if (lease?.version === version) return lease;
    lease?.release();
    const { disk } = this;
    return disk?.underWay.run(() => loadVersion(disk, partKey(id, part), version, signal));
  }

  /** The current version first. */
  versions(id: string, part: string): PartVersion[] {
    const hot = recordNamed(this.#store, id, part);
    const current: PartVersion[] =
      hot === undefined ? [] : [{ version: hot.version, sizeBytes: hot.sizeBytes, place: 'hot' }];
    const kept = this.disk?.keptVersions(partKey(id, part)) ?? [];
    const known = new Set(current.map(({ version }) => version));
    for (const { version, sizeBytes } of kept) {
      if (known.has(version)) continue;
      known.add(version);
      current.push({ version, sizeBytes, place: 'disk' });
    }
    return current;
  }

  /** @throws part_corrupt */
  where(id: string, part: string): Place | undefined {
    if (partNamed(this.#store, id, part) !== 0) return 'hot';
    return (this.disk?.versionBelow(id, part) ?? 0) > 0 ? 'disk' : undefined;
  }

  coldParts(id: string): string[] {
    this.#store.key.setContext(id);
    return this.disk === undefined ? [] : coldParts(this.disk, id);
  }

  /** Deletes what is on the disk only. @returns how many parts */
  delete(id: string, part: string | undefined): number {
    return this.disk === undefined ? 0 : deleteCold(this.disk, id, part);
  }

  /** By who holds the pen. @returns how many parts that are on the disk only carried the tag */
  invalidate(tag: string): number {
    return this.disk === undefined ? 0 : invalidateCold(this.disk, textGiven(tag, 'tag'));
  }

  /** Looks at some records on the disk, at most `limit`. @returns how many went because their time is over */
  sweepExpired(limit: number): number {
    return this.#sweep?.sweep(limit) ?? 0;
  }

  stats(): DiskStats | undefined {
    const disk = this.disk;
    if (disk === undefined) return undefined;
    return {
      ...disk.counts,
      usedBytes: disk.disk.usedBytes,
      maxBytes: this.choice?.maxBytes ?? 0,
      versionsLagged: disk.versions.lagged,
      doomed: disk.doomed.count,
    };
  }

  /** To be told of every write. */
  written(
    action: 'put' | 'append',
    id: string,
    part: string,
    version: number,
    sizeBytes: number,
  ): void {
    if (this.#demoter !== undefined) this.#demoter.wrote(sizeBytes);
    this.#store.hooks.record(action, id, part, version);
  }

  /**
   * Ends what runs, closes the store, and lets the disk go. Who closed it in order, as the last one, waits until the memory is in its files, so that
   * another boot can trust it.
   */
  async close(closeStore: () => void): Promise<void> {
    const disk = this.disk;
    if (disk === undefined) return closeStore();
    try {
      await Promise.all([this.#demoter?.stop(), disk.underWay.end()]);
      await disk.versions.idle();
      await disk.doomed.flush().catch(() => undefined);
      await disk.disk.belongTo(shapeOf(this.#store.region)).catch(() => undefined);
      disk.doomed.close();
      this.#store.lowerTier = undefined;
      closeStore();
      // Where that fails it is not trusted: what was persisted is on the disk.
      await noteWhole(disk.disk, this.#store.region).catch(() => undefined);
    } finally {
      await disk.disk.close();
    }
  }
}

/** Puts memory that was closed in order into its files, and notes that it is there, unless somebody opens it meanwhile. */
async function noteWhole(disk: Disk, region: Region): Promise<void> {
  region.refresh();
  const { clean, sequence } = region.superblock;
  if (!clean || region.handle.type !== 'mapped') return;
  await syncMemory(region.handle.path, region.segments.length);
  await disk.setWhole(sequence, () => {
    region.refresh();
    return region.superblock.sequence === sequence;
  });
}

/** As what a pool is made anew. */
export function shapeOf({ superblock, segmentShift }: Region): Omit<DiskIdentity, 'format'> {
  const { poolUuid, capacityBytes, ownersMax } = superblock;
  return { poolUuid, capacityBytes, ownersMax, segmentBytes: 2 ** segmentShift };
}

/** Ends the wait with the signal, not the work. @throws aborted */
async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([
      work,
      aborted.then(() => {
        work.catch(() => undefined);
        throwIfAborted(signal);
        return work;
      }),
    ]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
