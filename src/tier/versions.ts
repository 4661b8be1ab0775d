/**
 * Earlier versions of parts, as many as a pool keeps. A version that is about to be replaced or extended is leased, and goes to the disk in the background:
 * nobody waits for it. Where more would wait than there is room for, a version is not kept, and counted.
 */

import { kinds } from '../alloc/kind.ts';
import type { Ref } from '../memory/region.ts';
import { partOf } from '../store/contexts.ts';
import { elementCode } from '../store/element.ts';
import { segmentOf, versionOf, wordOf } from '../store/entry.ts';
import { type HeldPart, holdEntry, noteOnDisk } from '../store/hold.ts';
import { withPen } from '../store/pen.ts';
import { namesOf } from '../store/remove.ts';
import { namesOfKey, partKey } from './disk-key.ts';
import type { DiskTier } from './disk-tier.ts';
import type { DiskRecord, StowedBytes } from './record.ts';
import { abandon, stow } from './stow.ts';
import { archive, putVersion } from './version-rows.ts';

/** Bytes of memory that wait to be written, and parts. */
const waitingMaxBytes: number = 64 * 2 ** 20;
const waitingMax = 1024;
const recordCostBytes = 512;

export class Versions {
  /** Versions that were not kept. */
  lagged = 0;
  readonly #tier: DiskTier;
  /** How many a part has, with the current one. */
  readonly #keeps: number;
  readonly #writing = new Set<Promise<void>>();
  #waitingBytes = 0;

  constructor(tier: DiskTier, keeps: number) {
    this.#tier = tier;
    this.#keeps = keeps;
  }

  /** Under the pen: the part is about to get another version. */
  replacing(ref: Ref): void {
    if (this.#keeps < 2) return;
    const { store } = this.#tier;
    if (this.#waitingBytes >= waitingMaxBytes || this.#writing.size >= waitingMax) {
      this.lagged++;
      return;
    }
    // The next version inherits it: who deletes that dooms the earlier ones as well.
    noteOnDisk(store, ref);
    const held = holdEntry(store, ref);
    const { id, part } = namesOf(store, ref);
    const key = partKey(id, part);
    const arrived = this.#tier.departures.await(key);
    this.#waitingBytes += held.bytes.length;
    const writing = this.#keep(key, held)
      .catch(() => {
        this.lagged++;
      })
      .finally(() => {
        held.release();
        arrived();
        this.#waitingBytes -= held.bytes.length;
        this.#writing.delete(writing);
      });
    this.#writing.add(writing);
  }

  /** Resolves when nothing waits to be written. */
  async idle(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing);
  }

  async #keep(key: Buffer, held: HeldPart): Promise<void> {
    const { disk, doomed, sealing, step } = this.#tier;
    const { version } = held.record;
    const { bytes } = held;
    const part = { key, version, sizeBytes: bytes.length, bytes, writer: doomed.name };
    const stowed = await stow(disk, sealing, part, () => undefined);
    step('versions:stowed');
    const isKept = await disk.commit(recordCostBytes + stowed.inline.length, () =>
      this.#commit(key, held, stowed),
    );
    if (!isKept) await abandon(disk, stowed.stowId);
  }

  /** Within a transaction. @returns false when the part was deleted meanwhile, or this is none of the last so many versions */
  #commit(key: Buffer, { record }: HeldPart, stowed: StowedBytes): boolean {
    const { disk, store } = this.#tier;
    if (!this.#hasSuccessor(key, record.version)) return false;
    const row: DiskRecord = {
      ...stowed,
      kind: kinds.indexOf(record.kind),
      element: elementCode(record.elementType),
      pinned: record.pinned,
      sensitive: record.sensitive,
      version: record.version,
      expiresAtMs: record.expiresAtMs ?? 0,
      writtenAtMs: Math.max(0, Math.floor(store.options.clock.nowMs())),
      tags: record.tags,
    };
    return putVersion(disk, key, row, this.#keeps - 1);
  }

  #hasSuccessor(key: Buffer, version: number): boolean {
    const { departures, disk, doomed, store } = this.#tier;
    if (departures.hasLeft(key, version)) return false;
    if (doomed.has(key, version) || doomed.byOthers(key) >= version) return false;
    if (disk.versionAt(key) >= version) return true;
    return withPen(store, () => {
      const { id, part } = namesOfKey(key);
      const ref = partOf(store, id, part);
      if (ref === 0) return false;
      return versionOf(segmentOf(store.region, ref).words, wordOf(store.region, ref)) >= version;
    });
  }

  /** Within a transaction that writes `next`, a later version: what is in its place becomes an earlier one. @throws tier_full: nothing was changed */
  archive(key: Uint8Array, next: DiskRecord): void {
    if (this.#keeps > 1) archive(this.#tier.disk, key, next, this.#keeps - 1);
  }
}
