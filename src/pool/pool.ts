/** The whole: a pool composed of a region, a store and (in time) tiers. What `openPool` returns. */

import type { MapCell } from '../alloc/api.ts';
import { decodeUtf8 } from '../base/utf8.ts';
import { fail } from '../errors.ts';
import { roundCapacity } from '../memory/geometry.ts';
import type { StartedThread } from '../memory/worker-exit.ts';
import { append } from '../store/append.ts';
import { compact } from '../store/compact.ts';
import {
  invalidate,
  isThere,
  partsOf,
  removeParts,
  setExpiry,
  setHints,
  setPinned,
} from '../store/contexts.ts';
import { PartDraft } from '../store/draft.ts';
import { bytesOf } from '../store/element.ts';
import { recordNamed } from '../store/stable.ts';
import { sweepExpired } from '../store/expiry.ts';
import { listContexts } from '../store/list.ts';
import { closeStore } from '../store/open.ts';
import { withPen } from '../store/pen.ts';
import { put } from '../store/put.ts';
import { scanContexts } from '../store/scan.ts';
import { assertWhole } from '../store/payload.ts';
import type { Store } from '../store/store.ts';
import { encodeTag } from '../store/tags.ts';
import type {
  AppendOptions,
  CheckReport,
  Compacted,
  ContextInfo,
  Draft,
  Hint,
  Lease,
  ListOptions,
  LoadOptions,
  PartData,
  PartInfo,
  PartsOptions,
  PartVersion,
  PersistOptions,
  Place,
  Pool,
  PoolHandle,
  PoolStats,
  PutOptions,
  ScanPage,
  SnapshotOptions,
} from './api.ts';
import { resize, trim } from './capacity.ts';
import { contextInfo } from './context-info.ts';
import {
  appendSpecFor,
  checkHint,
  checkOptions,
  expiryAt,
  listLimits,
  partsLimits,
  scanLimits,
  specFor,
  versionAsked,
  wholeFrom,
} from './options.ts';
import { checkReport } from './check-report.ts';
import { checkedDraft } from './checked-draft.ts';
import { contextCountOf, draftBytesOf, handleOf, partBytesOf, statsOf } from './stats.ts';
import { checkDestination, snapshotRuns, writeSnapshot } from './snapshot.ts';
import { Tiers } from './tiers.ts';
import { throwIfAborted } from '../tier/persisted.ts';
import { WatchedWorkers } from './watched-workers.ts';

const noOptions = {};
const sweepDefault = 1000;
const compactDefaultBytes: number = 64 * 2 ** 20;

export class StorePool implements Pool {
  readonly path: string | undefined;
  readonly readOnly: boolean;
  readonly hasDisk: boolean;
  readonly #store: Store;
  readonly #tiers: Tiers;
  #snapshotting = false;
  #closing: Promise<void> | undefined;
  readonly #workers: WatchedWorkers;
  #sweepFrom = 0;

  constructor(store: Store, path: string | undefined, tiers: Tiers = new Tiers(store)) {
    this.#store = store;
    this.#tiers = tiers;
    this.hasDisk = tiers.hasDisk;
    this.#workers = new WatchedWorkers(store);
    this.path = path;
    this.readOnly = store.region.readOnly;
  }

  put(id: string, part: string, data: PartData, options: PutOptions = noOptions): number {
    const store = this.#writable();
    const bytes = bytesOf(data);
    const spec = specFor(store, data, options);
    assertWhole(bytes.length, spec.element);
    store.key.set(id, part);
    const version = put(store, spec, bytes);
    this.#tiers.written('put', id, part, version, bytes.length);
    return version;
  }

  beginPut(id: string, part: string, sizeBytes: number, options: PutOptions = noOptions): Draft {
    const store = this.#writable();
    wholeFrom(0, sizeBytes, 'sizeBytes');
    const spec = specFor(store, undefined, options);
    const draft = new PartDraft(store, id, part, spec, sizeBytes);
    return checkedDraft(draft, {
      beforeChange: () => void this.#writable(),
      expiryAt: (ttlMs) => expiryAt(store, ttlMs),
      beforeAbort: () => {
        if (store.hooks.running) this.#readable();
      },
      committed: (version) => this.#tiers.written('put', id, part, version, draft.sizeBytes),
    });
  }

  append(id: string, part: string, data: PartData, options: AppendOptions = noOptions): number {
    const store = this.#writable();
    const bytes = bytesOf(data);
    const spec = appendSpecFor(store, data, options);
    store.key.set(id, part);
    const version = append(store, spec, bytes);
    this.#tiers.written('append', id, part, version, bytes.length);
    return version;
  }

  get(id: string, part: string): Lease | undefined {
    if (this.#store.closed || this.#store.hooks.running) this.#readable();
    return this.#store.get(id, part);
  }

  describe(id: string, part: string): PartInfo | undefined {
    return recordNamed(this.#readable(), id, part);
  }

  context(id: string, options: PartsOptions = noOptions): ContextInfo | undefined {
    const { limit, after } = partsLimits(options);
    return contextInfo(this.#readable(), id, limit, after);
  }

  delete(id: string, part?: string, options: { readonly ifVersion?: number } = noOptions): number {
    const store = this.#writable();
    checkOptions(options);
    const ifVersion = versionAsked(options.ifVersion);
    if (part === undefined && ifVersion !== undefined) {
      fail('invalid_argument', 'ifVersion goes with a part: a context has no version.');
    }
    return withPen(
      store,
      () => removeParts(store, id, part, ifVersion) + this.#tiers.delete(id, part),
    );
  }

  list(options: ListOptions = noOptions): ContextInfo[] {
    const store = this.#readable();
    const { limit, partsLimit, prefix, after } = listLimits(options);
    const found = store.follower.settled(() => listContexts(store, prefix, after, limit));
    return found.flatMap(({ id }) => contextInfo(store, decodeUtf8(id), partsLimit) ?? []);
  }

  scan(cursor: number, limit?: number): ScanPage {
    const store = this.#readable();
    const { from, about } = scanLimits(cursor, limit);
    const { ids, next } = store.follower.settled(() => scanContexts(store, from, about));
    return { ids: ids.map(decodeUtf8), next };
  }

  expire(id: string, ttlMs: number | undefined, part?: string): number {
    const store = this.#writable();
    const atMs = ttlMs === undefined ? 0 : expiryAt(store, ttlMs);
    return withPen(store, () => setExpiry(store, partsOf(store, id, part), atMs));
  }

  pin(id: string, part?: string): number {
    return this.#setPinned(id, part, true);
  }

  unpin(id: string, part?: string): number {
    return this.#setPinned(id, part, false);
  }

  hint(id: string, hint: Hint): number {
    const store = this.#writable();
    checkHint(hint);
    return withPen(store, () => setHints(store, partsOf(store, id), hint));
  }

  invalidate(what: { readonly tag: string }): number {
    const store = this.#writable();
    checkOptions(what);
    return invalidate(store, encodeTag(store, what.tag), () => this.#tiers.invalidate(what.tag));
  }

  where(id: string, part: string): Place | undefined {
    this.#readable();
    return this.#tiers.where(id, part);
  }

  coldParts(id: string): string[] {
    this.#readable();
    return this.#tiers.coldParts(id);
  }

  has(id: string): boolean {
    const store = this.#readable();
    return store.follower.settled(() => isThere(store, id));
  }

  async persist(id: string, what: string | PersistOptions = noOptions): Promise<void> {
    this.#readable();
    return this.#tiers.persist(id, what);
  }

  async load(
    id: string,
    part: string,
    options: LoadOptions = noOptions,
  ): Promise<Lease | undefined> {
    checkOptions(options);
    throwIfAborted(options.signal);
    this.#readable();
    const lease = options.version === undefined ? this.get(id, part) : undefined;
    return lease ?? this.#tiers.load(id, part, options);
  }

  versions(id: string, part: string): PartVersion[] {
    this.#readable();
    return this.#tiers.versions(id, part);
  }

  sweepExpired(limit: number = sweepDefault): number {
    const store = this.#writable();
    store.allocator.notice();
    const looks = wholeFrom(0, limit, 'limit');
    const { removed, next } = sweepExpired(store, this.#sweepFrom, looks);
    this.#sweepFrom = next;
    return removed + this.#tiers.sweepExpired(looks);
  }

  setCapacity(capacityBytes: number): void {
    resize(this.#writable(), roundCapacity(capacityBytes));
  }

  compact(limitBytes: number = compactDefaultBytes): Compacted {
    const store = this.#writable();
    return compact(store, wholeFrom(1, limitBytes, 'limitBytes'));
  }

  trim(): number {
    return trim(this.#writable());
  }

  watchWorker(worker: StartedThread): void {
    this.#readable();
    this.#workers.watch(worker, () => !this.#snapshotting);
  }

  stats(): PoolStats {
    const store = this.#readable();
    return store.follower.settled(() => statsOf(store, this.#tiers.stats()));
  }

  check(): CheckReport {
    return checkReport(this.#readable(), this.readOnly);
  }

  memoryMap(cells: number): MapCell[] {
    const store = this.#readable();
    return store.follower.settled(() => store.allocator.memoryMap(cells));
  }

  async snapshot(destination: string, options: SnapshotOptions = noOptions): Promise<void> {
    const store = this.#writable();
    checkOptions(options);
    checkDestination(destination);
    if (this.#snapshotting) snapshotRuns();
    this.#snapshotting = true;
    try {
      await writeSnapshot(store, destination, options, this.#tiers.disk);
    } finally {
      this.#snapshotting = false;
      this.#workers.recover();
    }
  }

  async close(): Promise<void> {
    if (this.#store.closed || this.#closing !== undefined) return this.#closing;
    this.#readable();
    if (this.#snapshotting) snapshotRuns();
    return (this.#closing = this.#closeNow());
  }

  async #closeNow(): Promise<void> {
    try {
      await this.#tiers.close(() => closeStore(this.#store));
    } finally {
      this.#store.region.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get contextCount(): number {
    return contextCountOf(this.#readable());
  }

  get partBytes(): number {
    return this.#store.closed ? 0 : partBytesOf(this.#store);
  }

  get draftBytes(): number {
    return draftBytesOf(this.#store);
  }

  get handle(): PoolHandle {
    return handleOf(this.#readable().region, this.#tiers.choice);
  }

  #setPinned(id: string, part: string | undefined, pinned: boolean): number {
    const store = this.#writable();
    return withPen(store, () => setPinned(store, partsOf(store, id, part), pinned));
  }

  #readable(): Store {
    if (this.#closing ?? this.#store.closed) fail('pool_closed', 'This pool was closed.');
    if (this.#store.hooks.running) fail('called_from_hook', 'A hook of this pool called it.');
    return this.#store;
  }

  #writable(): Store {
    const store = this.#readable();
    if (this.readOnly) fail('read_only', 'This pool was opened for reading.');
    return store;
  }
}
