/**
 * What the workers of one server must know of each other to keep the quotas of a tenant: a file of words, DATA/control, that all of them map.
 *
 * ```
 * word 0        16            16 + 144          …       one row per tenant, found by the hash of its name
 * ┌────────────┬─────────────┬─────────────┬───┐
 * │ (reserved) │ row 0       │ row 1       │ … │         row:  0 state: free, being taken, taken    1–2 hash of the name
 * └────────────┴─────────────┴─────────────┴───┘               3 arrival: see `take`                16 + w  KiB in flight at worker w
 *                                                                                                   80 + w  KiB that are to be parts, at worker w
 * ```
 * The words of a worker have one writer; whoever starts workers clears those of the dead. Rows are taken for as long as the server runs.
 */

import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { createWordsFile, openWordsFile, type WordsFile } from '../memory/words-file.ts';
import { compareExchange, load, store, type Words } from '../memory/words.ts';

export const workersMax = 64;
/** Tenants that have a row. Those beyond it have their quotas at each worker by itself. */
const rowsMax = 4096;
const headWords = 16;
const rowWords: number = 16 + 2 * workersMax;
const fileBytes: number = 4 * (headWords + rowsMax * rowWords);

const field = { state: 0, hash: 1, arrival: 3, inFlight: 16, reserved: 16 + workersMax } as const;
const rowState = { free: 0, claimed: 1, taken: 2 } as const;

/** Arrival times are in sixteenths of a millisecond, modulo 2^32; 0 is that of a row through which nothing has come. */
const unitsPerMs = 16;
const secondUnits: number = 1000 * unitsPerMs;
/** Operations are taken from the common rate in parcels of so much of a second, so that fast rates need not meet at each. */
const parcelsPerSecond = 1000;
const unitBytes = 1024;

export class SharedUsage {
  readonly #file: WordsFile;
  readonly #worker: number;

  constructor(file: WordsFile, worker: number) {
    this.#file = file;
    this.#worker = worker;
  }

  /** For whoever starts the workers. @throws memory_unavailable, io_failed, koffi_missing */
  static create(path: string): SharedUsage {
    return new SharedUsage(createWordsFile(path, fileBytes), 0);
  }

  /** @param worker its number, below `workersMax`, that no living one has */
  static open(path: string, worker: number): SharedUsage {
    return new SharedUsage(openWordsFile(path), worker);
  }

  /** The row of a tenant; undefined when all are taken. */
  tenant(name: string): TenantUsage | undefined {
    const { words } = this.#file;
    const digest = createHash('sha256').update(name).digest();
    const [low, high] = [digest.readInt32LE(0), digest.readInt32LE(4)];
    const first = digest.readUInt32LE(8) % rowsMax;
    for (let probe = 0; probe < rowsMax; probe++) {
      const at = headWords + ((first + probe) % rowsMax) * rowWords;
      if (compareExchange(words, at, rowState.free, rowState.claimed) === rowState.free) {
        store(words, at + field.hash, low);
        store(words, at + field.hash + 1, high);
        store(words, at, rowState.taken);
      }
      // Two stores away: whoever has claimed it and died over it has left a row that belongs to nobody.
      for (let look = 0; look < claimLooks && load(words, at) !== rowState.taken; look++);
      if (load(words, at + field.hash) !== low || load(words, at + field.hash + 1) !== high)
        continue;
      return new TenantUsage(words, at, this.#worker);
    }
    return undefined;
  }

  /** A worker is dead: what it had in flight is over. */
  clear(worker: number): void {
    for (let row = 0; row < rowsMax; row++) {
      const at = headWords + row * rowWords + worker;
      store(this.#file.words, at + field.inFlight, 0);
      store(this.#file.words, at + field.reserved, 0);
    }
  }

  close(): void {
    this.#file.close();
  }
}

const claimLooks = 1_000_000;

/** A tenant at one worker. */
export class TenantUsage {
  readonly #words: Words;
  readonly #at: number;
  readonly #worker: number;
  /** Operations of a parcel that are left. */
  #parcel = 0;

  constructor(words: Words, at: number, worker: number) {
    this.#words = words;
    this.#at = at;
    this.#worker = worker;
  }

  /** Says what is in flight here. */
  hold(ownBytes: number): void {
    this.#say(field.inFlight, ownBytes);
  }

  /** Says what is reserved here and no part of the pool yet. */
  reserve(ownBytes: number): void {
    this.#say(field.reserved, ownBytes);
  }

  /**
   * Bytes in flight at all other workers, of each rounded up to KiB. Of two who pass a bound together, each having said so before it looks, at least
   * one sees the other.
   */
  heldByOthers(): number {
    return this.#ofOthers(field.inFlight);
  }

  /** Likewise bytes that are reserved. */
  reservedByOthers(): number {
    return this.#ofOthers(field.reserved);
  }

  /**
   * One operation of a common rate, of which a second's worth may come at once. @returns 0, or the milliseconds until there is room (of a rate of 0: Infinity)
   *
   * The word *arrival* is when all operations so far would have come, had they come evenly; it never lies more than a second ahead of now.
   * Source: GCRA (ITU-T I.371), the virtual scheduling form.
   */
  take(perSecond: number, clock: Clock): number {
    if (this.#parcel > 0) {
      this.#parcel--;
      return 0;
    }
    if (perSecond <= 0) return Infinity;
    const parcel = Math.max(1, Math.floor(perSecond / parcelsPerSecond));
    const cost = Math.max(1, Math.round((parcel * secondUnits) / perSecond));
    const at = this.#at + field.arrival;
    for (;;) {
      const now = Math.floor(clock.nowMs() * unitsPerMs) | 0;
      const arrival = load(this.#words, at);
      const ahead = (arrival - now) | 0;
      // None yet, long past, or of a clock that was set back: as good as now.
      const from = arrival === 0 || ahead < 0 || ahead > secondUnits ? now : arrival;
      const wait = ((from - now) | 0) + cost - secondUnits;
      if (wait > 0) return Math.ceil(wait / unitsPerMs);
      if (compareExchange(this.#words, at, arrival, (from + cost) | 0 || -1) !== arrival) continue;
      this.#parcel = parcel - 1;
      return 0;
    }
  }

  /** The rate was changed. */
  drop(): void {
    this.#parcel = 0;
  }

  #say(cells: number, ownBytes: number): void {
    store(this.#words, this.#at + cells + this.#worker, Math.ceil(ownBytes / unitBytes));
  }

  #ofOthers(cells: number): number {
    let units = 0;
    const first = this.#at + cells;
    for (let worker = 0; worker < workersMax; worker++) {
      if (worker !== this.#worker) units += load(this.#words, first + worker);
    }
    return units * unitBytes;
  }
}
