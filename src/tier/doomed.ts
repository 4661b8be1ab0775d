/**
 * Records that must go: of parts that were deleted, invalidated, or lost by eviction while the disk had an older version. Nobody waits for the
 * disk then, so what is doomed is kept in a journal first, which outlives the process as the pool's memory does, until the records are gone.
 *
 * ```
 * journal   (length 32 │ crc32 │ version 64 │ key) …       <folder>/doomed-PID-RANDOM, one per pool that is open
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
import { isRunning } from '../base/running.ts';
import { fail } from '../errors.ts';
import type { Disk } from './disk.ts';
import { decodeRecord } from './record.ts';

const journalPrefix = 'doomed-';
const journalMode = 0o600;
const frameBytes = 8;
const versionBytes = 8;
/** Records that one transaction removes. */
const batchMax = 1024;
/** Of a key, for the bound of a transaction. */
const keyCostBytes = 256;

export class Doomed {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #file: number;
  #journalBytes = 0;
  /** Keys as latin1 text → the highest version that must go. */
  readonly #versions = new Map<string, number>();
  #flushing: Promise<void> | undefined;
  /** Records removed. */
  removed = 0;

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    const name = `${journalPrefix}${process.pid}-${randomBytes(6).toString('hex')}`;
    this.#path = join(folder, name);
    this.#file = openSync(this.#path, 'wx', journalMode);
  }

  get count(): number {
    return this.#versions.size;
  }

  /** True when a record of that version is not to be read any more. */
  has(key: Uint8Array, version: number): boolean {
    const doomed = this.#versions.get(textOf(key));
    return doomed !== undefined && version <= doomed;
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
      writeSync(this.#file, frame, 0, frame.length, this.#journalBytes);
      this.#journalBytes += frame.length;
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      process.emitWarning('A deletion could not be noted beside the disk tier.', {
        code: 'CENOTE_DOOMED',
        detail,
      });
    }
  }

  /** Takes over what others left behind when they died. */
  async takeOver(folder: string): Promise<void> {
    for (const name of journalsOfTheDead(folder)) {
      const path = join(folder, name);
      for (const { key, version } of readJournal(path)) this.add(key, version);
      await this.flush();
      rmSync(path, { force: true });
    }
  }

  /** Resolves when everything that was doomed before is gone from the disk. @throws tier_full, io_failed */
  async flush(): Promise<void> {
    await this.#flushing;
    if (this.#versions.size === 0) return;
    await this.#remove();
  }

  /** Leaves a journal behind where something could not be removed: the next opening takes it over. */
  close(): void {
    closeSync(this.#file);
    if (this.#versions.size === 0) rmSync(this.#path, { force: true });
  }

  /** Removes in the background; what fails is tried again with what is doomed next, by `flush`, or at the next opening. */
  #begin(): void {
    this.#flushing ??= Promise.resolve()
      .then(() => this.#remove())
      .catch(() => undefined)
      .finally(() => {
        this.#flushing = undefined;
      });
  }

  async #remove(): Promise<void> {
    while (this.#versions.size > 0) {
      const batch = [...firstOf(this.#versions, batchMax)];
      await this.#disk.commit(batch.length * keyCostBytes, () => {
        for (const [text, version] of batch) this.#removeOne(Buffer.from(text, 'latin1'), version);
      });
      // A part may have been doomed again meanwhile, in a later version.
      for (const [text, version] of batch) {
        if (this.#versions.get(text) === version) this.#versions.delete(text);
      }
    }
    ftruncateSync(this.#file, 0);
    this.#journalBytes = 0;
  }

  #removeOne(key: Buffer, version: number): void {
    const value = this.#disk.parts.get(key);
    if (value === undefined) return;
    const record = decodeRecord(key, value);
    if (record !== undefined && record.version > version) return;
    this.#disk.removeRecord(key);
    this.removed++;
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
  const bytes = readFileSync(path);
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

function journalsOfTheDead(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => {
      if (!name.startsWith(journalPrefix)) return false;
      const pid = Number(name.slice(journalPrefix.length).split('-')[0]);
      return !isRunning(pid);
    });
  } catch (error) {
    return fail('io_failed', `Cannot read ${folder}: ${(error as Error).message}.`, error);
  }
}

function* firstOf<T>(all: Iterable<T>, limit: number): Generator<T> {
  let left = limit;
  for (const each of all) {
    if (left-- === 0) return;
    yield each;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
