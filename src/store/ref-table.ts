/**
 * A hash table of references in pool memory: open addressing, linear probing, tags that are compared by the caller.
 *
 * ```
 * word 0      1      2            3        4 … 15   16      17     18      19
 * ┌──────────┬──────┬────────────┬────────┬───────┬───────┬──────┬───────┬──────┬──
 * │ log2     │ live │ tombstones │ cursor │ 0     │ tag 0 │ ref 0│ tag 1 │ ref 1│ …
 * └──────────┴──────┴────────────┴────────┴───────┴───────┴──────┴───────┴──────┴──
 * ```
 * ref 0 is an empty slot, -1 a tombstone. A slot is published by the single store of its ref; readers without a lock see it or do
 * not. The table is an index, not the truth: recovery empties it and fills it from the entries. Growth is online: a larger table
 * takes over, and every change moves some slots of the old one: those before its cursor have moved.
 */

import { fail } from '../errors.ts';
import { type Ref, type Region } from '../memory/region.ts';
import { peek, poke, store, zero, type Words } from '../memory/words.ts';
import { byteOf, segmentOf, wordOf } from './entry.ts';

const headerWords = 16;
const tableField = { log2: 0, live: 1, tombstones: 2, cursor: 3 } as const;
const tombstone = -1;
/** Fullest a table may get, tombstones included, before it must grow: 3/4. */
const growNumerator = 3;
const growDenominator = 4;
/** A table that cannot grow takes references up to 7/8 of its slots … */
const fullNumerator = 7;
const fullDenominator = 8;
/** … and is rebuilt when fewer than 1/16 of its slots are empty: an empty slot ends every probe. */
const wornNumerator = 15;
const wornDenominator = 16;
const goldenRatio = 0x9e3779b1 | 0;

/** All hashes are below. */
export const hashEnd: number = 2 ** 32;

export const smallestTableLog2 = 8;
export const largestTableLog2 = 26;

export function tableBytes(log2: number): number {
  return headerWords * 4 + 8 * 2 ** log2;
}

/** One table block, as views. */
export class Table {
  readonly ref: Ref;
  readonly words: Words;
  readonly log2: number;
  readonly mask: number;
  /** Word of slot 0's tag. */
  readonly base: number;
  readonly #bytes: Uint8Array;
  readonly #header: number;
  readonly #shift: number;

  /** @throws pool_corrupt when there is no table */
  constructor(region: Region, ref: Ref) {
    if (!Table.isAt(region, ref)) fail('pool_corrupt', `Reference ${ref} is not a table.`);
    this.ref = ref;
    this.words = segmentOf(region, ref).words;
    this.#bytes = segmentOf(region, ref).bytes;
    this.#header = wordOf(region, ref);
    this.base = this.#header + headerWords;
    this.log2 = peek(this.words, this.#header + tableField.log2);
    this.mask = (1 << this.log2) - 1;
    this.#shift = 32 - this.log2;
  }

  /** True when what is there has the size of a table. */
  static isAt(region: Region, ref: Ref): boolean {
    const { words, sizeBytes } = segmentOf(region, ref);
    const log2 = peek(words, wordOf(region, ref) + tableField.log2);
    if (!(log2 >= smallestTableLog2 && log2 <= largestTableLog2)) return false;
    return byteOf(region, ref) + tableBytes(log2) <= sizeBytes;
  }

  /** Makes an empty table of a block. Its size is never unknown meanwhile: recovery that is cut short here reads it again. */
  static format(region: Region, ref: Ref, log2: number): Table {
    const segment = segmentOf(region, ref);
    const from = byteOf(region, ref);
    poke(segment.words, (from >>> 2) + tableField.log2, log2);
    zero(segment.bytes, from + 4, from + tableBytes(log2));
    return new Table(region, ref);
  }

  /** Slot at which the probe for `tag` starts. */
  home(tag: number): number {
    return Math.imul(tag, goldenRatio) >>> this.#shift;
  }

  /** The hash of what is in a slot, below `hashEnd`: slots follow its order, in a table of any size. */
  hashAt(slot: number): number {
    return Math.imul(this.tagAt(slot), goldenRatio) >>> 0;
  }

  /** Slot at which the probe for a hash starts. */
  homeOf(hash: number): number {
    return hash >>> this.#shift;
  }

  /**
   * The next slot from `slot` on with that tag, or -1 at the end of the probe. One round at most: under a reader without a lock the table
   * may have become something else, without an empty slot.
   */
  seek(tag: number, slot: number): number {
    const { words, base, mask } = this;
    let at = slot & mask;
    for (let left = mask; left >= 0; left--) {
      const ref = peek(words, base + (at << 1) + 1);
      if (ref === 0) return -1;
      if (ref > 0 && peek(words, base + (at << 1)) === tag) return at;
      at = (at + 1) & mask;
    }
    return -1;
  }

  /** The slot that holds exactly this reference, or -1. */
  slotOf(tag: number, ref: Ref): number {
    let slot = this.seek(tag, this.home(tag));
    while (slot >= 0 && this.refAt(slot) !== ref) slot = this.seek(tag, slot + 1);
    return slot;
  }

  refAt(slot: number): Ref {
    return peek(this.words, this.base + (slot << 1) + 1);
  }

  tagAt(slot: number): number {
    return peek(this.words, this.base + (slot << 1));
  }

  /** Puts another reference with the same tag into a slot: one store. */
  replace(slot: number, ref: Ref): void {
    store(this.words, this.base + (slot << 1) + 1, ref);
  }

  /** Adds. The caller has made sure of room. @throws pool_corrupt when there is none all the same */
  insert(tag: number, ref: Ref): void {
    const { words, base, mask } = this;
    let slot = this.home(tag);
    let old = peek(words, base + (slot << 1) + 1);
    for (let left = mask; old > 0; left--) {
      if (left === 0) fail('pool_corrupt', `The table at ${this.ref} is full.`);
      slot = (slot + 1) & mask;
      old = peek(words, base + (slot << 1) + 1);
    }
    poke(words, base + (slot << 1), tag);
    store(words, base + (slot << 1) + 1, ref);
    this.#adjust(tableField.live, 1);
    if (old === tombstone) this.#adjust(tableField.tombstones, -1);
  }

  /** Empties a slot, and the tombstones before it, when no probe goes on behind it; leaves a tombstone otherwise. */
  removeAt(slot: number): void {
    const { words, base, mask } = this;
    this.#adjust(tableField.live, -1);
    if (peek(words, base + (((slot + 1) & mask) << 1) + 1) !== 0) {
      store(words, base + (slot << 1) + 1, tombstone);
      this.#adjust(tableField.tombstones, 1);
      return;
    }
    store(words, base + (slot << 1) + 1, 0);
    let before = (slot - 1) & mask;
    while (peek(words, base + (before << 1) + 1) === tombstone) {
      store(words, base + (before << 1) + 1, 0);
      this.#adjust(tableField.tombstones, -1);
      before = (before - 1) & mask;
    }
  }

  get live(): number {
    return peek(this.words, this.#header + tableField.live);
  }

  /** Of a table that a larger one takes over from: the next slot to move. */
  get cursor(): number {
    const slot = peek(this.words, this.#header + tableField.cursor);
    return slot >= 0 && slot <= this.mask ? slot : 0;
  }

  set cursor(slot: number) {
    poke(this.words, this.#header + tableField.cursor, slot);
  }

  get tombstones(): number {
    return peek(this.words, this.#header + tableField.tombstones);
  }

  /** True when `count` more inserts should start a growth. */
  wantsGrowth(count: number): boolean {
    const used = this.live + this.tombstones + count;
    return used > ((this.mask + 1) / growDenominator) * growNumerator;
  }

  /** True when `count` more inserts would leave too few slots that are not taken. */
  isFull(count: number): boolean {
    return this.live + count > ((this.mask + 1) / fullDenominator) * fullNumerator;
  }

  /** True when `count` more inserts could leave too few slots that end a probe. */
  isWorn(count: number): boolean {
    return (
      this.live + this.tombstones + count > ((this.mask + 1) / wornDenominator) * wornNumerator
    );
  }

  /** Inserts everything anew without tombstones, in place. Readers of other threads must be kept out or told. */
  rebuild(): void {
    const slots: number[] = [];
    for (let slot = 0; slot <= this.mask; slot++) {
      if (this.refAt(slot) > 0) slots.push(this.tagAt(slot), this.refAt(slot));
    }
    zero(this.#bytes, this.base << 2, (this.base + 2 * (this.mask + 1)) << 2);
    this.#adjust(tableField.live, -this.live);
    this.#adjust(tableField.tombstones, -this.tombstones);
    for (let i = 0; i < slots.length; i += 2) this.insert(slots[i] as number, slots[i + 1] as Ref);
  }

  #adjust(which: number, by: number): void {
    poke(this.words, this.#header + which, peek(this.words, this.#header + which) + by);
  }
}
