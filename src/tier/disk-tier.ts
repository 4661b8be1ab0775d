/**
 * The disk tier of a pool. Memory is the truth for what is in it; the disk has what was persisted or demoted, and is the truth for all else.
 *
 * The rules that keep the two in order:
 * 1. A version is reserved in memory before it is written to the disk, and a transaction writes a record only while its part is in memory in that version
 *    or a later one, and no later version is on the disk. So a part that was deleted meanwhile is not written; nor where another has come
 *    under its name since, as far as this owner has deleted it.
 * 2. A part that leaves memory other than by becoming a record dooms what the disk has of it, up to its version, before it is gone (doomed.ts).
 * 3. What is doomed is not read, even while it is still there. What is read comes back to memory only while there is nothing in memory, and the
 *    record is still there when it does, in the same turn.
 * So neither place ever puts a lower version over a higher one, and nothing that was deleted comes back.
 */

import type { Ref } from '../memory/region.ts';
import { peek, type Words } from '../memory/words.ts';
import { field, tierMask, versionOf } from '../store/entry.ts';
import type { LowerTier, RemovalReason } from '../store/hooks.ts';
import { namesOf } from '../store/remove.ts';
import type { Store } from '../store/store.ts';
import { Departures } from './departures.ts';
import { partKey } from './disk-key.ts';
import type { Disk, Step } from './disk.ts';
import type { Doomed } from './doomed.ts';
import { PartWriter } from './part-writer.ts';
import { isPersisted } from './persisted.ts';
import { claimedExpiry, decodeRecord, type DiskRecord } from './record.ts';
import type { Sealing } from './stow.ts';
import { UnderWay } from './under-way.ts';
import { versionsOf } from './version-rows.ts';
import { Versions } from './versions.ts';

/** Parts of a context that are written at once. */
const writesAtOnce = 8;

/** What has happened since the pool was opened. */
export interface DiskCounts {
  /** Records written. */
  persisted: number;
  /** Parts brought back to memory. */
  promoted: number;
  /** Parts that left memory without a write, since the disk had them. */
  dropped: number;
  /** Parts evicted before they could be written: lost. */
  lagged: number;
  /** Records found damaged. */
  corrupt: number;
  bytesWritten: number;
  bytesRead: number;
}

export interface DiskTierChoices {
  readonly disk: Disk;
  readonly doomed: Doomed;
  readonly sealing: Sealing;
  readonly step: Step;
  /** How many versions of a part are kept, with the current one. */
  readonly versions: number;
}

export class DiskTier implements LowerTier {
  readonly store: Store;
  readonly disk: Disk;
  readonly doomed: Doomed;
  readonly sealing: Sealing;
  readonly step: Step;
  readonly versions: Versions;
  readonly writer: PartWriter;
  readonly departures: Departures = new Departures();
  readonly underWay: UnderWay = new UnderWay();
  readonly counts: DiskCounts = {
    persisted: 0,
    promoted: 0,
    dropped: 0,
    lagged: 0,
    corrupt: 0,
    bytesWritten: 0,
    bytesRead: 0,
  };

  constructor(store: Store, choices: DiskTierChoices) {
    this.store = store;
    this.disk = choices.disk;
    this.doomed = choices.doomed;
    this.sealing = choices.sealing;
    this.step = choices.step;
    this.versions = new Versions(this, choices.versions);
    this.writer = new PartWriter(this);
  }

  /**
   * Resolves when what the context (or the part) is now is on the disk: its parts, and that others are deleted.
   * @throws part_corrupt, tier_full, io_failed, key_unavailable, aborted, pool_closed
   */
  async persist(
    id: string,
    part: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    // All of them before anything is waited for: what is evicted before its turn comes would be nowhere.
    const waiting = this.writer.hold(id, part).values();
    const write = async (): Promise<void> => {
      for (const held of waiting) await this.writer.write(id, held, signal);
    };
    try {
      if (this.doomed.hasLeftovers) await this.doomed.takeOver();
      const outcomes = await Promise.allSettled(Array.from({ length: writesAtOnce }, write));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    } finally {
      for (const held of waiting) held.release();
    }
    await this.versions.idle();
    await this.doomed.flush();
  }

  /** The version of the record of a part that counts; 0: there is none. @throws part_corrupt */
  versionBelow(id: string, part: string): number {
    return this.find(partKey(id, part))?.version ?? 0;
  }

  /** The record under a key that is neither doomed nor over. @throws part_corrupt */
  find(key: Uint8Array): DiskRecord | undefined {
    // Before it is looked at any closer: a damaged record can be deleted.
    if (this.undoomedVersion(key) === 0) return undefined;
    const record = this.disk.record(key);
    return record === undefined || this.#isPast(record.expiresAtMs) ? undefined : record;
  }

  /** The version of the record under a key, unless it is doomed or over. 0: there is none. */
  versionOf(key: Uint8Array): number {
    const version = this.undoomedVersion(key);
    return version === 0 || this.isOver(key) ? 0 : version;
  }

  /** The same of a record whose time may be over. */
  undoomedVersion(key: Uint8Array): number {
    const doomedByOthers = this.doomed.byOthers(key);
    this.disk.refresh();
    const version = this.disk.versionAt(key);
    return version <= doomedByOthers || this.doomed.has(key, version) ? 0 : version;
  }

  /** True for a record whose time is over. A damaged one has no time: who asks for it is to be told. */
  isOver(key: Uint8Array): boolean {
    const value = this.disk.parts.get(key);
    // Most are told by one field, without a checksum of the whole.
    if (value === undefined || !this.#isPast(claimedExpiry(value))) return false;
    return decodeRecord(key, value) !== undefined;
  }

  #isPast(expiresAtMs: number): boolean {
    return expiresAtMs !== 0 && expiresAtMs <= this.store.options.clock.nowMs();
  }

  /** Cleans up after owners that died: what they doomed, and chunks that no record will know of. */
  async cleanUp(): Promise<void> {
    await this.doomed.takeOver();
    for (const { stowId, writer } of this.disk.pendingStows()) {
      if (this.doomed.isOfTheLiving(writer)) continue;
      await this.disk.commit(0, () => this.disk.abandonChunks(stowId));
    }
  }

  /** What the disk has of a part that counts, the newest first. */
  keptVersions(key: Uint8Array): DiskRecord[] {
    const doomedByOthers = this.doomed.byOthers(key);
    this.disk.refresh();
    const value = this.disk.parts.get(key);
    const current = value === undefined ? undefined : decodeRecord(key, value);
    const all = [...(current === undefined ? [] : [current]), ...versionsOf(this.disk, key)];
    return all
      .filter(({ version }) => version > doomedByOthers && !this.doomed.has(key, version))
      .filter(({ expiresAtMs }) => !this.#isPast(expiresAtMs))
      .sort((a, b) => b.version - a.version);
  }

  leaving(_ref: Ref, words: Words, at: number, reason: RemovalReason): void {
    if (reason === 'demoted') return;
    const isThere = isPersisted(words, at);
    if (reason === 'evicted' && isThere) {
      this.counts.dropped++;
      return;
    }
    if (reason === 'evicted') this.counts.lagged++;
    const { id, part } = namesOf(this.store, _ref);
    const key = partKey(id, part);
    this.departures.left(key, versionOf(words, at));
    if (!this.#mayHave(key, words, at)) return;
    this.doomed.add(key, versionOf(words, at));
  }

  replacing(ref: Ref): void {
    this.versions.replacing(ref);
  }

  /** Writes a part, unless the disk has its version. @throws as `persist` */
  async write(id: string, part: string): Promise<void> {
    for (const held of this.writer.hold(id, part)) await this.writer.write(id, held);
  }

  /** True when there is a record of the part, or one is on its way. */
  #mayHave(key: Uint8Array, words: Words, at: number): boolean {
    if ((peek(words, at + field.origin) & tierMask.disk) !== 0) return true;
    this.disk.refresh();
    return this.disk.versionAt(key) > 0;
  }
}
