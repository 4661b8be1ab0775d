/** The public surface of a pool, as types: what `openPool` returns and takes. */

import type { KindName } from '../alloc/kind.ts';
import type { Clock } from '../base/clock.ts';
import type { AllocatorStats, MapCell } from '../alloc/api.ts';
import type { KeyProvider } from '../codec/key-provider.ts';
import type { RegionHandle } from '../memory/region.ts';
import type { StartedThread } from '../memory/worker-exit.ts';
import type { Hooks } from '../store/hooks.ts';

import type { ElementType, PartData, PartView } from '../store/element.ts';

import type { OperationName } from '../store/counters.ts';
import type {
  DiskHandle,
  DiskStats,
  LoadOptions,
  PartVersion,
  PersistOptions,
  TierOptions,
} from './tier-api.ts';

export type * from './tier-api.ts';
export type { KindName } from '../alloc/kind.ts';
export type { StartedThread } from '../memory/worker-exit.ts';
export { operationNames, type OperationName } from '../store/counters.ts';
export { elementTypes, type ElementType, type PartData, type PartView } from '../store/element.ts';

export interface PutOptions {
  /** Default by element type: u32 tokens, f32 and f64 embedding, utf8 metadata, all others blob. */
  readonly kind?: KindName;
  /** Element type to store for a Uint8Array source (the HTTP server receives bytes). Default: the type of the array. */
  readonly elementType?: ElementType;
  /** Milliseconds from now, 1…2^47. */
  readonly ttlMs?: number;
  /** At most 64 of 1–512 bytes each. */
  readonly tags?: readonly string[];
  /** Ids of contexts this part is derived from: stored as tags `dep:ID`. */
  readonly dependsOn?: readonly string[];
  /** Only if the part's current version is this; 0: only if there is none. */
  readonly ifVersion?: number;
  /** Never evicted until unpinned. */
  readonly pinned?: boolean;
  /** Zeroed when freed, whatever its kind. */
  readonly sensitive?: boolean;
  /** Kept encrypted in hot memory: needs a KeyProvider. */
  readonly sealed?: boolean;
}

export interface AppendOptions {
  readonly ifVersion?: number;
}

/** A read lease: the bytes stay where they are until `release`. */
export interface Lease {
  /**
   * View over pool memory; zero copy (but of a pool opened with `readOnly` a copy). Reading it after release is a bug: the memory may hold
   * something else, or have gone back to the system, and reading is a fault where that has none left. @throws lease_released
   */
  readonly data: PartView;
  readonly version: number;
  readonly kind: KindName;
  readonly elementType: ElementType;
  readonly sizeBytes: number;
  /** The part decoded as UTF-8. */
  text(): string;
  /** Idempotent. */
  release(): void;
  [Symbol.dispose](): void;
}

/** A part being written in place, invisible until `commit`. */
export interface Draft {
  /** Bytes written so far. */
  readonly sizeBytes: number;
  /** Appends a chunk, growing the reservation when needed. @throws pool_full, value_too_large: the draft is then aborted */
  write(chunk: Uint8Array): void;
  /**
   * Up to `limitBytes` of the reserved memory that comes next, empty where there is no more, for something that writes there itself, as a socket
   * does; then `wrote`. Nobody may write there any more after the next call of the draft.
   */
  room(limitBytes: number): Uint8Array;
  /** The first `sizeBytes` of `room` are written. */
  wrote(sizeBytes: number): void;
  /**
   * Publishes atomically; returns the version.
   * @param ttlMs in place of the option, for those who learn it after the bytes; `ifVersion` likewise
   * @throws version_conflict (the draft is then aborted, unless the version was given here), invalid_argument for the time or the version (it is not)
   */
  commit(ttlMs?: number, ifVersion?: number): number;
  /** Gives the memory back. Idempotent, and harmless after commit. */
  abort(): void;
}

export interface PartInfo {
  readonly part: string;
  readonly kind: KindName;
  readonly elementType: ElementType;
  readonly sizeBytes: number;
  readonly version: number;
  readonly crc32: number | undefined;
  readonly expiresAtMs: number | undefined;
  readonly pinned: boolean;
  readonly sensitive: boolean;
  readonly tags: readonly string[];
  readonly uses: number;
}

export interface ContextInfo {
  readonly id: string;
  /** In the order of their names; at most as many as were asked for. */
  readonly parts: readonly PartInfo[];
  /** How many parts the context has. */
  readonly partCount: number;
}

export interface PartsOptions {
  /** Only parts whose names sort after this one: the last name of the previous page. */
  readonly after?: string;
  /** 1…10,000; default 1,000. 0 counts the parts, which is quicker. */
  readonly limit?: number;
}

export interface ListOptions {
  /** Only ids that start with this. */
  readonly prefix?: string;
  /** Only ids that sort after this one (UTF-8 order): the last id of the previous page. */
  readonly after?: string;
  /** 1…10,000; default 1,000. */
  readonly limit?: number;
  /** Parts told of each context, 1…10,000; default 100. `context` tells the others. */
  readonly partsLimit?: number;
}

export interface ScanPage {
  readonly ids: readonly string[];
  /** The cursor of the next page; 0 after the last. */
  readonly next: number;
}

export interface Hint {
  /** The session is over. */
  readonly closed?: boolean;
  /** A tool call is running: the session will return soon. */
  readonly toolPending?: boolean;
  /** Why the model stopped. */
  readonly stop?: 'end_turn' | 'tool_use' | 'length' | 'abort';
}

export type Place = 'hot' | 'warm' | 'disk' | 'remote';

export interface PoolStats {
  readonly capacityBytes: number;
  readonly contexts: number;
  readonly parts: number;
  readonly pinnedParts: number;
  /** Replaced or deleted parts whose bytes wait for the last lease. */
  readonly retiredParts: number;
  /** Bytes of live parts as the user counts them. */
  readonly partBytes: number;
  readonly maxPartBytes: number;
  readonly formatVersion: number;
  /** Threads that have the pool open. */
  readonly ownersAlive: number;
  readonly segments: number;
  readonly memory: AllocatorStats;
  readonly operations: Record<OperationName, number>;
  /** Present where there is a disk tier. */
  readonly disk?: DiskStats;
}

export interface Compacted {
  readonly movedParts: number;
  readonly movedBytes: number;
  /** True when nothing more is to be moved. */
  readonly done: boolean;
}

export interface CheckReport {
  readonly ok: boolean;
  /** Format version. */
  readonly version: number;
  readonly errors: readonly string[];
  readonly contexts: number;
  readonly parts: number;
  readonly partBytes: number;
  readonly checksumsVerified: number;
  readonly segments: number;
}

export interface SnapshotOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** Structured-cloneable: post it to a worker thread, which joins with `openPool({ handle })`. */
export interface PoolHandle {
  readonly region: RegionHandle;
  /** Where its disk tier is, which the worker opens too; keys are given to it anew. */
  readonly disk?: DiskHandle;
}

export interface OpenOptions {
  /** Folder of a mapped pool. Without it the pool is shared memory of this process. */
  readonly path?: string;
  /** Bound on the bytes of all segments. 4 MiB…128 GiB, default 256 MiB. An existing pool keeps its own unless this is given. */
  readonly capacityBytes?: number;
  /** How far setCapacity may go; shared pools reserve address space for it. Default: capacityBytes. */
  readonly maxCapacityBytes?: number;
  /** Size of a segment, a power of two; bounds the largest part. Default: half of capacity, 4 MiB…1 GiB. */
  readonly segmentBytes?: number;
  readonly ownersMax?: number;
  /** crc32 on every write. Default true. */
  readonly checksums?: boolean;
  /** Kinds whose memory is zeroed when freed. Default none; sensitive parts always are. */
  readonly zeroOnFree?: readonly KindName[];
  /** Reads without owning: for inspect and check. */
  readonly readOnly?: boolean;
  /** Refuses (`pool_busy`) where another owner has the pool open. Others may still open it later. */
  readonly exclusive?: boolean;
  /** Joins the pool of another thread. */
  readonly handle?: PoolHandle;
  /** How long to wait while another owner changes the pool, before it is `pool_busy`. 0…3,600,000 ms, default 1000. */
  readonly lockWaitMs?: number;
  readonly clock?: Clock;
  /**
   * Which part goes when memory is full: the least recently used (default), the least used for its age, or the one that is least likely to come back
   * soon by what is learned of all parts (`hazard`: uses, gaps, size, kind and hints).
   */
  readonly eviction?: 'lru' | 'lfu' | 'hazard';
  /** Seed of the eviction sampler, for reproducible runs. */
  readonly seed?: number;
  readonly hooks?: Partial<Hooks>;
  readonly tiers?: TierOptions;
  /** Seals what goes to the disk, and opens what comes from there. */
  readonly keyProvider?: KeyProvider;
  /** Bound into seals: a record opens for its own tenant only. Default `default`. */
  readonly tenant?: string;
  /** While a pool is made anew from its disk tier: bytes of parts that are back in memory, and that will be. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface Pool extends AsyncDisposable {
  /** Replaces atomically; returns the version. @throws pool_full, version_conflict, invalid_argument, value_too_large: nothing has changed */
  put(id: string, part: string, data: PartData, options?: PutOptions): number;
  /** Opens a draft for streaming; `sizeBytes` is what to reserve at first. */
  beginPut(id: string, part: string, sizeBytes: number, options?: PutOptions): Draft;
  /** Extends in place; creates the part when absent. Returns the new version. @throws as put, element_type_mismatch, part_on_disk when it is not in memory */
  append(id: string, part: string, data: PartData, options?: AppendOptions): number;
  /** Hot only, synchronous, zero copy. @throws part_corrupt */
  get(id: string, part: string): Lease | undefined;
  /** What is known of a part, without touching its recency. */
  describe(id: string, part: string): PartInfo | undefined;
  /** What is known of a context; undefined when it has no parts. */
  context(id: string, options?: PartsOptions): ContextInfo | undefined;
  /** Deletes a part, or the whole context. Returns how many parts went. */
  delete(id: string, part?: string, options?: { readonly ifVersion?: number }): number;
  list(options?: ListOptions): ContextInfo[];
  /**
   * Ids of about `limit` contexts (1…10,000, default 100), in no order, and where to go on: begin with 0, end when `next` is 0. A context that is there
   * all the while is told once, whatever else comes and goes. Unlike `list` it looks only at what it tells. @throws invalid_argument
   */
  scan(cursor: number, limit?: number): ScanPage;
  /** Sets (or with undefined clears) the expiry. Returns how many parts it concerns. */
  expire(id: string, ttlMs: number | undefined, part?: string): number;
  pin(id: string, part?: string): number;
  unpin(id: string, part?: string): number;
  hint(id: string, hint: Hint): number;
  /** Deletes every part that carries the tag. Returns how many. */
  invalidate(what: { readonly tag: string }): number;
  /** @throws part_corrupt where the record on the disk is damaged */
  where(id: string, part: string): Place | undefined;
  /** What is kept of a part, the current version first: with `tiers.disk.versions` also earlier ones, as far as they are on the disk. */
  versions(id: string, part: string): PartVersion[];
  /** Names of the parts of a context that are on the disk only, in no order. */
  coldParts(id: string): string[];
  /** Whether the context has a part, in one look however many it has. */
  has(id: string): boolean;
  /**
   * Resolves when what the context (or the part: its name, or an option) is now is on the disk: its parts, and that others are deleted. Waits for one
   * sync together with all who wait. A put is durable when the `persist` after it resolves.
   * @throws tier_unavailable without a disk tier, tier_full, part_corrupt, key_unavailable, io_failed, aborted
   */
  persist(id: string, what?: string | PersistOptions): Promise<void>;
  /**
   * A lease on a part wherever it is; it is in memory then, or a copy where there is no room. Hot parts resolve at once; undefined: it is nowhere.
   * Aborting ends the wait and changes nothing.
   * @throws tier_unavailable when not hot and without a disk tier; part_corrupt, key_unavailable, io_failed, aborted
   */
  load(id: string, part: string, options?: LoadOptions): Promise<Lease | undefined>;
  /**
   * Removes parts whose time is over, at most `limit` entries looked at, and of those that are on the disk only a few; lets other owners have what this one
   * need not hold. To be called now and then: each call goes on where the one before ended. Returns how many parts went.
   */
  sweepExpired(limit?: number): number;
  /** Changes the bound while in use; evicts when it shrinks. @throws pool_full when what is pinned or leased does not fit */
  setCapacity(capacityBytes: number): void;
  /**
   * Moves parts to where memory is fullest, so that free memory comes together; leased parts stay. Moves at most `limitBytes` (default 64 MiB) per call:
   * call again until `done`. Versions and what is read stay the same.
   */
  compact(limitBytes?: number): Compacted;
  /**
   * Gives memory that nothing is in back to the system: empty segments, and free memory of 64 KiB and more in one place. It is taken again when it is
   * needed; where the system has none then, parts are evicted instead. After `compact` there is more to give. Returns how many bytes came free.
   * @throws io_failed
   */
  trim(): number;
  /**
   * For shared pools, whose threads the kernel does not watch: when `worker` has ended without closing the pool that it joined, its leases end and
   * its memory comes free. To be called in the turn that starts the worker. Mapped pools find out themselves.
   */
  watchWorker(worker: StartedThread): void;
  stats(): PoolStats;
  check(): CheckReport;
  memoryMap(cells: number): MapCell[];
  snapshot(destination: string, options?: SnapshotOptions): Promise<void>;
  close(): Promise<void>;
  /** How many contexts there are, those included whose time is over and that nobody has looked at since. */
  readonly contextCount: number;
  /** Bytes of all parts, likewise without the statistics of the allocator; hooks may ask for it. 0 when the pool is closed. */
  readonly partBytes: number;
  /** Bytes that drafts begun by this owner have reserved, beside these; hooks may ask for it. */
  readonly draftBytes: number;
  readonly handle: PoolHandle;
  readonly path: string | undefined;
  /** Whether parts may be on the disk, where `get` does not see them, and `load` does. */
  readonly hasDisk: boolean;
  readonly readOnly: boolean;
}
