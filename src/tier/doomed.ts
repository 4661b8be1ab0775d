/**
 * Records that must go: of parts that were deleted, invalidated, or lost by eviction while the disk had an older version. Nobody waits for the
 * disk then, so what is doomed is kept in a journal first, which outlives the process as the pool's memory does, until the records are gone.
 *
 * ```
 * journal   (length 32 │ crc32 │ version 64 │ key) …       <folder>/doomed-SLOT-EPOCH-RANDOM, one for each owner of the pool
 * ```
 * Dooming says "no record up to this version": written again or read by two, it does no harm. A machine that goes down loses the journal together
 * with the memory that the part was deleted from.
 */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from '../base/checksum.ts';
import { fail } from '../errors.ts';
import { ownerSlot, ownerWord } from '../memory/owners.ts';
import type { Region, Segment } from '../memory/region.ts';
import { load } from '../memory/words.ts';
import { partOf } from '../store/contexts.ts';
import { segmentOf, versionOf, wordOf } from '../store/entry.ts';
import { hasOpened } from '../store/opened.ts';
import { withPen } from '../store/pen.ts';
import type { Store } from '../store/store.ts';
import { namesOfKey, textOf } from './disk-key.ts';
import type { Disk } from './disk.ts';
import { decodeRecord } from './record.ts';
import { removeVersions } from './version-rows.ts';

const journalPrefix = 'doomed-';
const journalMode = 0o600;
const frameBytes = 8;
const versionBytes = 8;
/** Records that one transaction removes. */
const batchMax = 1024;
/** Of a key, for the bound of a transaction. */
const keyCostBytes = 256;

export class Doomed {
  /** Of this owner's journal. It names the owner, so that others can tell whether it lives. */
  readonly name: string;
  readonly #store: Store;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #file: number;
  #journalBytes = 0;
  /** Keys as latin1 text → the highest version that must go. */
  readonly #versions = new Map<string, number>();
  #isRemoving = false;
  #isClosed = false;
  /** No other owner has doomed anything since the pen was handed over so often: they doom under it. */
  #emptySince = -1;

  constructor(store: Store, disk: Disk, folder: string) {
    this.#store = store;
    this.#disk = disk;
    this.#folder = folder;
    const { ownerSlot: slot } = store.region;
    const epoch = epochOf(store.region, slot);
    this.name = `${journalPrefix}${slot}-${epoch}-${randomBytes(6).toString('hex')}`;
    this.#file = openSync(join(folder, this.name), 'wx', journalMode);
  }

  get count(): number {
    return this.#versions.size;
  }

  /** True when a record of that version is not to be read any more, as far as this owner has doomed it. */
  has(key: Uint8Array, version: number): boolean {
    const doomed = this.#versions.get(textOf(key));
    return doomed !== undefined && version <= doomed;
  }

  /**
   * The highest version that other owners have doomed, 0: none. To be asked before the record is looked at: a journal is empty only after what it
   * doomed is gone from the disk.
   */
  byOthers(key: Uint8Array): number {
    const { handOvers } = this.#store.pen;
    if (handOvers >= 0 && handOvers === this.#emptySince) return 0;
    let highest = 0;
    let isEmpty = true;
    for (const name of this.#journals()) {
      if (name === this.name) continue;
      for (const doom of readJournal(join(this.#folder, name))) {
        isEmpty = false;
        if (doom.version > highest && Buffer.compare(doom.key, key) === 0) highest = doom.version;
      }
    }
    this.#emptySince = isEmpty ? handOvers : -1;
    return highest;
  }

  /** What is doomed now, by whomever. */
  moment(): (key: Uint8Array, version: number) => boolean {
    const versions = new Map(this.#versions);
    for (const name of this.#journals()) {
      if (name === this.name) continue;
      for (const { key, version } of readJournal(join(this.#folder, name))) {
        const text = textOf(key);
        versions.set(text, Math.max(version, versions.get(text) ?? 0));
      }
    }
    return (key, version) => version <= (versions.get(textOf(key)) ?? 0);
  }

  /** True for the name of an owner that lives and has the pool open. */
  isOfTheLiving(name: string): boolean {
    if (name === this.name) return true;
    const [slotText = '', epochText = ''] = name.slice(journalPrefix.length).split('-');
    const [slot, epoch] = [Number(slotText), Number(epochText)];
    const { region } = this.#store;
    if (slot === region.ownerSlot || !(slot >= 0 && slot < region.superblock.ownersMax))
      return false;
    return epochOf(region, slot) === epoch && hasOpened(region, slot);
  }

  /** From now on no record of the key up to `version` counts; it goes with the next transaction. */
  add(key: Uint8Array, version: number): void {
    const text = textOf(key);
    if ((this.#versions.get(text) ?? 0) >= version) return;
    this.#versions.set(text, version);
    this.#journal(encodeFrame(key, version));
    this.#begin();
  }

  /** Called in the middle of a change, which a full disk must not stop: the record goes all the same, unless the process dies first. */
  #journal(frame: Buffer): void {
    try {
      const written = writeSync(this.#file, frame, 0, frame.length, this.#journalBytes);
      // Less than that, on a full disk: the next one is written over it, or nobody would read any behind it.
      if (written < frame.length) throw new Error(`${written} of ${frame.length} bytes`);
      this.#journalBytes += frame.length;
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      process.emitWarning('A deletion could not be noted beside the disk tier.', {
        code: 'CENOTE_DOOMED',
        detail,
      });
    }
  }

  /** True when an owner died and left a journal behind. */
  get hasLeftovers(): boolean {
    return this.#journals().some((name) => !this.isOfTheLiving(name));
  }

  /** Takes over what others left behind when they died. */
  async takeOver(): Promise<void> {
    // Whatever a dead owner was changing is in order after this.
    withPen(this.#store, () => undefined);
    for (const name of this.#journals()) {
      if (this.isOfTheLiving(name)) continue;
      const path = join(this.#folder, name);
      for (const { key, version } of readJournal(path)) {
        if (!this.#isVoid(key, version)) this.add(key, version);
      }
      await this.flush();
      rmSync(path, { force: true });
    }
  }

  /** True when the owner died before the part was gone: it is still there. */
  #isVoid(key: Uint8Array, version: number): boolean {
    const { id, part } = namesOfKey(key);
    return withPen(this.#store, () => {
      const ref = partOf(this.#store, id, part);
      if (ref === 0) return false;
      const { words } = segmentOf(this.#store.region, ref);
      return versionOf(words, wordOf(this.#store.region, ref)) <= version;
    });
  }

  /** Resolves when everything that was doomed before is gone from the disk, whatever is doomed meanwhile. @throws tier_full, io_failed */
  async flush(): Promise<void> {
    const before = [...this.#versions];
    for (let at = 0; at < before.length; at += batchMax) {
      // What has gone since goes on its own.
      const batch = before.slice(at, at + batchMax).filter(([text]) => this.#versions.has(text));
      if (batch.length > 0) await this.#removeBatch(batch);
    }
  }

  /** Leaves a journal behind where something could not be removed: the next opening takes it over. */
  close(): void {
    this.#isClosed = true; // what is still being removed in the background leaves the file alone
    closeSync(this.#file);
    if (this.#versions.size === 0) rmSync(join(this.#folder, this.name), { force: true });
  }

  /** Removes in the background; what fails is tried again with what is doomed next, by `flush`, or at the next opening. */
  #begin(): void {
    if (this.#isRemoving) return;
    this.#isRemoving = true;
    void Promise.resolve()
      .then(() => this.#remove())
      .catch(() => undefined)
      .finally(() => {
        this.#isRemoving = false;
      });
  }

  async #remove(): Promise<void> {
    while (this.#versions.size > 0) await this.#removeBatch([...firstOf(this.#versions, batchMax)]);
  }

  async #removeBatch(batch: readonly (readonly [text: string, version: number])[]): Promise<void> {
    await this.#disk.commit(batch.length * keyCostBytes, () => {
      for (const [text, version] of batch) this.#removeOne(Buffer.from(text, 'latin1'), version);
    });
    // A part may have been doomed again meanwhile, in a later version.
    for (const [text, version] of batch) {
      if (this.#versions.get(text) === version) this.#versions.delete(text);
    }
    if (this.#versions.size > 0 || this.#isClosed) return;
    ftruncateSync(this.#file, 0);
    this.#journalBytes = 0;
  }

  #removeOne(key: Buffer, version: number): void {
    removeVersions(this.#disk, key, version);
    const value = this.#disk.parts.get(key);
    if (value === undefined) return;
    const record = decodeRecord(key, value);
    if (record !== undefined && record.version > version) return;
    this.#disk.removeRecord(key);
  }

  #journals(): string[] {
    try {
      return readdirSync(this.#folder).filter((name) => name.startsWith(journalPrefix));
    } catch (error) {
      return fail('io_failed', `Cannot read ${this.#folder}: ${(error as Error).message}.`, error);
    }
  }
}

function encodeFrame(key: Uint8Array, version: number): Buffer {
  const frame = Buffer.alloc(frameBytes + versionBytes + key.length);
  frame.writeUInt32LE(versionBytes + key.length, 0);
  frame.writeDoubleLE(version, frameBytes);
  frame.set(key, frameBytes + versionBytes);
  frame.writeInt32LE(crc32(frame.subarray(frameBytes)), 4);
  return frame;
}

/** What a journal holds, up to where it is cut short. */
function readJournal(path: string): { readonly key: Uint8Array; readonly version: number }[] {
  const bytes = readIfThere(path);
  const found: { key: Uint8Array; version: number }[] = [];
  for (let at = 0; at + frameBytes + versionBytes <= bytes.length;) {
    const length = bytes.readUInt32LE(at);
    const body = bytes.subarray(at + frameBytes, at + frameBytes + length);
    if (body.length < versionBytes || body.length !== length) break;
    if (crc32(body) !== bytes.readInt32LE(at + 4)) break;
    found.push({ key: body.subarray(versionBytes), version: body.readDoubleLE() });
    at += frameBytes + length;
  }
  return found;
}

function epochOf(region: Region, slot: number): number {
  return load((region.segments[0] as Segment).words, ownerWord(slot, ownerSlot.epoch));
}

function* firstOf<T>(all: Iterable<T>, limit: number): Generator<T> {
  let left = limit;
  for (const each of all) {
    if (left-- === 0) return;
    yield each;
  }
}

/** Whoever took it over may have removed it meanwhile. */
function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    return fail('io_failed', `Cannot read ${path}: ${(error as Error).message}.`, error);
  }
}
