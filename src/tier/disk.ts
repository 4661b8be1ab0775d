/**
 * The disk itself: one LMDB environment, its tables, and how many bytes they hold. It knows records and chunks, not the pool.
 *
 * ```
 * parts    key of a part → its record          chunks   stow id, number → bytes
 * tags     tag, key of a part → nothing        pending  stow id → owner that writes chunks, and no record yet
 * meta     'pool' → format, uuid, shape of the memory · 'used' → bytes of all records and chunks · 'rebuild' → set while a pool is made anew from here
 *          'whole' → sequence of the superblock with which the memory was closed in order, and has reached its files
 * ```
 */

import { fail } from '../errors.ts';
import { isRunning } from '../base/running.ts';
import { CommitQueue } from './commit-queue.ts';
import { chunkKey, prefixEnd, tagKey } from './disk-key.ts';
import {
  commitFault,
  openEnvironment,
  openTable,
  type Environment,
  type ReadTransaction,
  type Table,
} from './lmdb.ts';
import { claimedVersion, decodeRecord, type DiskRecord, encodeRecord } from './record.ts';

/** Format of the tables and records. */
const diskFormat = 1;

const metaPool: Buffer = Buffer.from('pool');
const metaUsed: Buffer = Buffer.from('used');
const metaRebuild: Buffer = Buffer.from('rebuild');
const metaWhole: Buffer = Buffer.from('whole');
const nothing: Buffer = Buffer.alloc(0);

/** The pool that a disk belongs to, and the shape of its memory, as which it is made anew. */
export interface DiskIdentity {
  readonly format: number;
  readonly poolUuid: string;
  readonly capacityBytes: number;
  readonly segmentBytes: number;
  readonly ownersMax: number;
}

/** `wiping`: files of the pool's memory are being removed; `filling`: parts come back. */
export interface Rebuild {
  readonly phase: 'wiping' | 'filling';
  readonly pid: number;
}

/** What a record takes beside its own bytes, about: keys, page headers, half-filled pages. */
const overheadBytes = 128;

/** Called at labelled steps; tests end the process there. */
export type Step = (name: string) => void;

export class Disk {
  readonly parts: Table;
  readonly tags: Table;
  readonly chunks: Table;
  /** Earlier versions of parts (versions.ts). */
  readonly versions: Table;
  readonly #pending: Table;
  readonly #meta: Table;
  readonly #environment: Environment;
  readonly #queue: CommitQueue;
  readonly #path: string;
  readonly #maxBytes: number;
  /** Within a transaction: what it adds to the bytes in use. */
  #added = 0;
  #used = 0;
  #closed = false;

  private constructor(environment: Environment, path: string, maxBytes: number, step: Step) {
    this.#environment = environment;
    this.#path = path;
    this.#maxBytes = maxBytes;
    const table = (name: string): Table => openTable(environment, name);
    this.parts = table('parts');
    this.tags = table('tags');
    this.chunks = table('chunks');
    this.versions = table('versions');
    this.#pending = table('pending');
    this.#meta = table('meta');
    this.#used = readNumber(this.#meta.get(metaUsed));
    this.#queue = new CommitQueue((work) => this.#transact(work, step));
  }

  /** @throws lmdb_missing, io_failed, format_unsupported */
  static async open(path: string, maxBytes: number, step: Step): Promise<Disk> {
    const environment = await openEnvironment(path);
    const disk = new Disk(environment, path, maxBytes, step);
    const identity = disk.identity();
    if (identity !== undefined && identity.format !== diskFormat) {
      await disk.close();
      fail('format_unsupported', `The disk tier in ${path} has format ${identity.format}.`);
    }
    return disk;
  }

  /** The pool that it belongs to; undefined when it is new. */
  identity(): DiskIdentity | undefined {
    const value = this.#meta.get(metaPool);
    if (value === undefined) return undefined;
    const [format, poolUuid = '', capacityBytes, segmentBytes, ownersMax] = Buffer.from(value)
      .toString('latin1')
      .split(' ');
    return {
      format: Number(format),
      poolUuid,
      capacityBytes: Number(capacityBytes),
      segmentBytes: Number(segmentBytes),
      ownersMax: Number(ownersMax),
    };
  }

  /** Makes it that pool's, or notes what has become of its memory's shape. */
  async belongTo(pool: Omit<DiskIdentity, 'format'>): Promise<void> {
    const { poolUuid, capacityBytes, segmentBytes, ownersMax } = pool;
    const words = [diskFormat, poolUuid, capacityBytes, segmentBytes, ownersMax];
    const value = Buffer.from(words.join(' '), 'latin1');
    const known = this.#meta.get(metaPool);
    if (known !== undefined && Buffer.compare(known, value) === 0) return;
    await this.commit(0, () => void this.#meta.put(metaPool, value));
  }

  /** How far making a pool anew from here has come; undefined: none is made. */
  get rebuild(): Rebuild | undefined {
    this.#meta.resetReadTxn();
    return parseRebuild(this.#meta.get(metaRebuild));
  }

  /** Notes how far it has come. @throws pool_busy while another process that lives wipes the memory of the pool */
  async setRebuild(phase: Rebuild['phase'] | undefined): Promise<void> {
    await this.commit(0, () => {
      const now = parseRebuild(this.#meta.get(metaRebuild));
      if (now?.phase === 'wiping' && isRunning(now.pid)) {
        fail('pool_busy', `Process ${now.pid} is making the pool anew from its disk tier.`);
      }
      if (phase === undefined) this.#meta.remove(metaRebuild);
      else this.#meta.put(metaRebuild, Buffer.from(`${phase} ${process.pid}`));
    });
  }

  /** The sequence of the superblock with which all of the memory was in its files; undefined: it has been opened since. */
  get wholeAt(): number | undefined {
    this.#meta.resetReadTxn();
    const value = this.#meta.get(metaWhole);
    return value === undefined ? undefined : readNumber(value);
  }

  /** Notes that, if it `holds` still by then, or with undefined that it is not so any more. */
  async setWhole(sequence: number | undefined, holds: () => boolean = () => true): Promise<void> {
    if (sequence === undefined && this.wholeAt === undefined) return;
    await this.commit(0, () => {
      if (sequence === undefined) this.#meta.remove(metaWhole);
      else if (holds()) this.#meta.put(metaWhole, numberBytes(sequence));
    });
  }

  /** Bytes of records and chunks, as of the last transaction of this process. */
  get usedBytes(): number {
    return this.#used;
  }

  /** Reads from here on see what others have committed. */
  refresh(): void {
    this.parts.resetReadTxn();
  }

  /** The record under a key; undefined when there is none. @throws part_corrupt */
  record(key: Uint8Array, transaction?: ReadTransaction): DiskRecord | undefined {
    const value = this.parts.get(key, { transaction });
    if (value === undefined) return undefined;
    return decodeRecord(key, value) ?? fail('part_corrupt', 'A record on the disk is damaged.');
  }

  /** The version that the record under a key has, whether it is sound or not. 0: there is no record. */
  versionAt(key: Uint8Array): number {
    const value = this.parts.get(key);
    // A record that tells no version is damaged: it is not above any version.
    return value === undefined ? 0 : Math.max(1, claimedVersion(value));
  }

  /** One moment of all tables; `done` ends it. */
  snapshot(): ReadTransaction {
    this.refresh();
    return this.#environment.useReadTransaction();
  }

  /** Runs `work` in a transaction together with what others queue; resolves when that is on the disk. @throws tier_full, io_failed */
  async commit<T>(sizeBytes: number, work: () => T): Promise<T> {
    if (this.#closed) fail('pool_closed', 'The disk tier was closed.');
    return this.#queue.run(sizeBytes, work);
  }

  /** Within a transaction. @throws tier_full: nothing was changed */
  putRecord(key: Uint8Array, record: DiskRecord): void {
    const value = encodeRecord(key, record);
    const old = this.parts.get(key);
    const growth = cost(value) - (old === undefined ? 0 : cost(old));
    this.reserve(growth);
    if (old !== undefined) this.#dropParts(key, old, record.stowId);
    for (const tag of record.tags) this.tags.put(tagKey(tag, key), nothing);
    if (record.chunks > 0) this.#pending.remove(record.stowId);
    this.parts.put(key, value);
    this.#added += growth;
  }

  /** Within a transaction: a record that is damaged, for a copy that is to say so too. */
  putDamaged(key: Uint8Array, value: Uint8Array): void {
    this.parts.put(key, value);
    this.#added += cost(value);
  }

  /** Within a transaction: counts what a table beside these has grown by. @throws tier_full when it does not fit */
  grow(sizeBytes: number): void {
    this.reserve(sizeBytes);
    this.#added += sizeBytes;
  }

  /** Within a transaction: chunks have a record now that is not in `parts`. */
  adopt(stowId: Uint8Array): void {
    this.#pending.remove(stowId);
  }

  /** Within a transaction: takes the record out of `parts` and leaves its chunks. @returns what it was, where it was sound */
  detach(key: Uint8Array): DiskRecord | undefined {
    const value = this.parts.get(key);
    const record = value === undefined ? undefined : decodeRecord(key, value);
    if (value === undefined || record === undefined) return undefined;
    for (const tag of record.tags) this.tags.remove(tagKey(tag, key));
    this.parts.remove(key);
    this.#added -= cost(value);
    return record;
  }

  /** Within a transaction: removes the record under a key with all that belongs to it. */
  removeRecord(key: Uint8Array): void {
    const old = this.parts.get(key);
    if (old === undefined) return;
    this.#dropParts(key, old, undefined);
    this.parts.remove(key);
    this.#added -= cost(old);
  }

  /** Within a transaction: a chunk that no record knows of yet. @throws tier_full: nothing was changed */
  putChunk(stowId: Uint8Array, number: number, value: Uint8Array, writer: string): void {
    this.reserve(cost(value));
    if (number === 0) this.#pending.put(stowId, Buffer.from(writer));
    this.chunks.put(chunkKey(stowId, number), value);
    this.#added += cost(value);
  }

  /** Within a transaction: chunks that no record will know of. */
  abandonChunks(stowId: Uint8Array): void {
    this.#removeChunks(stowId);
    this.#pending.remove(stowId);
  }

  /** Stow ids whose record was never written, and who was to write it. */
  pendingStows(): { readonly stowId: Uint8Array; readonly writer: string }[] {
    const found = [...this.#pending.getRange({})];
    return found.map(({ key, value }) => ({
      stowId: Uint8Array.from(key),
      writer: Buffer.from(value).toString('latin1'),
    }));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#queue.idle();
    this.#closed = true;
    await this.#environment.close();
  }

  /** Tags and chunks of a record that goes, but for those of `kept`. */
  #dropParts(key: Uint8Array, value: Uint8Array, kept: Uint8Array | undefined): void {
    const old = decodeRecord(key, value);
    if (old === undefined) return;
    for (const tag of old.tags) this.tags.remove(tagKey(tag, key));
    if (old.chunks > 0 && !(kept !== undefined && Buffer.compare(kept, old.stowId) === 0)) {
      this.#removeChunks(old.stowId);
    }
  }

  #removeChunks(stowId: Uint8Array): void {
    const keys = [...this.chunks.getKeys({ start: stowId, end: prefixEnd(stowId) })];
    for (const key of keys.map((each) => Buffer.from(each))) this.removeChunk(key);
  }

  /** Within a transaction. */
  removeChunk(key: Uint8Array): void {
    const value = this.chunks.get(key);
    if (value === undefined) return;
    this.#added -= cost(value);
    this.chunks.remove(key);
  }

  /** Within a transaction. @throws tier_full when so much more does not fit */
  reserve(sizeBytes: number): void {
    const used = readNumber(this.#meta.get(metaUsed)) + this.#added;
    if (sizeBytes <= 0 || used + sizeBytes <= this.#maxBytes) return;
    fail(
      'tier_full',
      `The disk tier holds ${used} of ${this.#maxBytes} bytes; ${sizeBytes} do not fit.`,
    );
  }

  async #transact(work: () => void, step: Step): Promise<void> {
    step('disk:transaction');
    let used = this.#used;
    try {
      await this.#environment.childTransaction(() => {
        this.#added = 0;
        work();
        used = readNumber(this.#meta.get(metaUsed)) + this.#added;
        if (this.#added !== 0) this.#meta.put(metaUsed, numberBytes(used));
        step('disk:written');
      });
    } catch (error) {
      throw await commitFault(error, this.#path, Math.max(0, this.#added));
    }
    this.#used = used;
    step('disk:committed');
  }
}

function parseRebuild(value: Uint8Array | undefined): Rebuild | undefined {
  if (value === undefined) return undefined;
  const [phase, pid] = Buffer.from(value).toString('latin1').split(' ');
  return { phase: phase === 'wiping' ? 'wiping' : 'filling', pid: Number(pid) };
}

/** What a value takes on the disk, about. */
export function cost(value: Uint8Array): number {
  return value.length + overheadBytes;
}

function readNumber(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : Buffer.from(value).readDoubleLE();
}

function numberBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}
