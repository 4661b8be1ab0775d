/**
 * How parts come to the disk. They are held in memory until their records are there, and each is written by one at a time: who comes meanwhile waits, and looks
 * again.
 */

import { kinds } from '../alloc/kind.ts';
import { fail } from '../errors.ts';
import { partOf, type PartRecord, partsOf, recordOf } from '../store/contexts.ts';
import { elementCode } from '../store/element.ts';
import { segmentOf, wordOf } from '../store/entry.ts';
import { type HeldPart, holdEntry, noteOnDisk } from '../store/hold.ts';
import { withPen } from '../store/pen.ts';
import { partKey, textOf } from './disk-key.ts';
import type { DiskTier } from './disk-tier.ts';
import { isPersisted, notePersisted, throwIfAborted } from './persisted.ts';
import type { DiskRecord, StowedBytes } from './record.ts';
import { abandon, stow } from './stow.ts';

/** Of a record without its bytes, for the bound of a transaction. */
const recordCostBytes = 512;

export class PartWriter {
  readonly #tier: DiskTier;
  /** Parts that are being written, by key. */
  readonly #writing = new Map<string, Promise<void>>();

  constructor(tier: DiskTier) {
    this.#tier = tier;
  }

  /** Holds what the disk does not have of a context, or of a part of it: all of one moment. To be written, or released. */
  hold(id: string, part: string | undefined): HeldPart[] {
    const { store } = this.#tier;
    const held: HeldPart[] = [];
    try {
      withPen(store, () => {
        for (const ref of partsOf(store, id, part)) {
          const { words } = segmentOf(store.region, ref);
          if (isPersisted(words, wordOf(store.region, ref))) continue;
          held.push(this.#await(id, holdEntry(store, ref)));
        }
      });
    } catch (error) {
      for (const each of held) each.release();
      throw error;
    }
    return held;
  }

  #await(id: string, held: HeldPart): HeldPart {
    const arrived = this.#tier.departures.await(partKey(id, held.record.part));
    const release = (): void => {
      held.release();
      arrived();
    };
    return { ...held, release };
  }

  /** Writes a part that is held, unless the disk has its version by then, and releases it. @throws as `persist` */
  async write(id: string, held: HeldPart, signal?: AbortSignal): Promise<void> {
    const { part } = held.record;
    const key = partKey(id, part);
    const text = textOf(key);
    try {
      for (;;) {
        throwIfAborted(signal);
        this.#tier.underWay.check();
        const running = this.#writing.get(text);
        if (running === undefined) break;
        // Whether it succeeds or not: it may be of an older version.
        await running.catch(() => undefined);
        if (this.#isWritten(held)) return;
      }
      const write = this.#write(key, id, part, held, signal).finally(() => {
        this.#writing.delete(text);
      });
      this.#writing.set(text, write);
      await write;
    } finally {
      held.release();
    }
  }

  /** True when the disk has what is held, or something later. */
  #isWritten({ ref }: HeldPart): boolean {
    const { region } = this.#tier.store;
    return isPersisted(segmentOf(region, ref).words, wordOf(region, ref));
  }

  async #write(
    key: Buffer,
    id: string,
    part: string,
    held: HeldPart,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { bytes, record } = held;
    const { version } = record;
    this.#tier.step('persist:begin');
    const stowed = await stow(
      this.#tier.disk,
      this.#tier.sealing,
      { key, version, sizeBytes: bytes.length, bytes, writer: this.#tier.doomed.name },
      () => throwIfAborted(signal),
    );
    if (record.crc32 !== undefined && record.crc32 !== stowed.crc32 >>> 0) {
      await abandon(this.#tier.disk, stowed.stowId);
      fail('part_corrupt', `Version ${version} does not match its checksum.`);
    }
    this.#tier.step('persist:stowed');
    const cost = recordCostBytes + stowed.inline.length;
    let written: DiskRecord | undefined;
    try {
      written = await this.#tier.disk.commit(cost, () =>
        this.#commitRecord(key, id, part, record, stowed),
      );
    } catch (error) {
      await abandon(this.#tier.disk, stowed.stowId);
      throw error;
    }
    this.#tier.step('persist:durable');
    if (written === undefined) {
      await abandon(this.#tier.disk, stowed.stowId);
      return;
    }
    this.#tier.counts.persisted++;
    this.#tier.counts.bytesWritten += bytes.length;
    this.#notePersisted(id, part, written);
  }

  /** Within a transaction. @returns what was written; undefined when the part went, or the disk has a later version */
  #commitRecord(
    key: Buffer,
    id: string,
    part: string,
    held: PartRecord,
    stowed: StowedBytes,
  ): DiskRecord | undefined {
    if (this.#tier.disk.versionAt(key) > held.version) return undefined;
    if (this.#tier.departures.hasLeft(key, held.version)) return undefined;
    const now = withPen(this.#tier.store, () => {
      const ref = partOf(this.#tier.store, id, part);
      if (ref === 0) return undefined;
      // Before the record is there: who deletes the part from now on dooms it, in a transaction after this one.
      noteOnDisk(this.#tier.store, ref);
      return recordOf(this.#tier.store, ref);
    });
    if (now === undefined || now.version < held.version) return undefined;
    const known = now.version === held.version ? now : held;
    const record: DiskRecord = {
      ...stowed,
      kind: kinds.indexOf(known.kind),
      element: elementCode(known.elementType),
      pinned: known.pinned,
      sensitive: known.sensitive,
      version: known.version,
      expiresAtMs: known.expiresAtMs ?? 0,
      writtenAtMs: Math.max(0, Math.floor(this.#tier.store.options.clock.nowMs())),
      tags: known.tags,
    };
    if (this.#tier.disk.versionAt(key) < record.version) this.#tier.versions.archive(key, record);
    this.#tier.disk.putRecord(key, record);
    return record;
  }

  /** Notes in the entry that the disk has what it is now. */
  #notePersisted(id: string, part: string, written: DiskRecord): void {
    if (this.#tier.store.closed) return;
    withPen(this.#tier.store, () => {
      const ref = partOf(this.#tier.store, id, part);
      if (ref === 0) return;
      const now = recordOf(this.#tier.store, ref);
      const isSame =
        now.version === written.version &&
        (now.expiresAtMs ?? 0) === written.expiresAtMs &&
        now.pinned === written.pinned;
      if (isSame) notePersisted(this.#tier.store, ref);
    });
  }
}
