/**
 * What came to be found and what no longer is, for routers and indexes outside: a bounded queue in one typed array. Who reads too late loses
 * the oldest, is told how many, and asks for the whole anew.
 *
 * ```
 *  word 0      1       2 … 5           6 … 9
 *     ┌──────┬───────┬───────────────┬───────────────────────────────────────────────┐
 *     │ type │ place │ key           │ stored: key of the block before it, 0 for none│
 *     └──────┴───────┴───────────────┴───────────────────────────────────────────────┘
 * ```
 */

import { noPlace } from '../evict/api.ts';

const eventWords = 10;
const types = ['stored', 'removed', 'cleared'] as const;
const storedType = 0;
const removedType = 1;
const clearedType = 2;

export interface KvEvent {
  readonly type: (typeof types)[number];
  /** The block's number; -1 when all were cleared. */
  readonly block: number;
  /** Chained key, 32 hexadecimal digits. */
  readonly key: string;
  /** Key of the block that it extends; undefined for the first of a sequence. */
  readonly parent: string | undefined;
}

export class Events {
  readonly #words: Int32Array;
  readonly #limit: number;
  #head = 0;
  #count = 0;
  #lost = 0;

  /** @param limit so many wait at most */
  constructor(limit: number) {
    this.#limit = limit;
    this.#words = new Int32Array(limit * eventWords);
  }

  /** Events that were overwritten before anybody took them. */
  get lost(): number {
    return this.#lost;
  }

  /** @param records of the cache's places, eight words each, the key first */
  stored(place: number, before: number, records: Int32Array): void {
    const at = this.#next(storedType, place);
    this.#copy(records, place, at + 2);
    if (before === noPlace) this.#words.fill(0, at + 6, at + eventWords);
    else this.#copy(records, before, at + 6);
  }

  removed(place: number, records: Int32Array): void {
    this.#copy(records, place, this.#next(removedType, place) + 2);
  }

  cleared(): void {
    this.#next(clearedType, noPlace);
  }

  /** What has happened since the last call, oldest first. */
  take(): KvEvent[] {
    const events = Array.from({ length: this.#count }, (_, i) => this.#read(i));
    this.#head = 0;
    this.#count = 0;
    return events;
  }

  #next(type: number, place: number): number {
    if (this.#count === this.#limit) {
      this.#head = (this.#head + 1) % this.#limit;
      this.#count--;
      this.#lost++;
    }
    const at = ((this.#head + this.#count) % this.#limit) * eventWords;
    this.#count++;
    this.#words[at] = type;
    this.#words[at + 1] = place;
    return at;
  }

  #copy(records: Int32Array, place: number, at: number): void {
    for (let word = 0; word < 4; word++) {
      this.#words[at + word] = records[(place << 3) + word] as number;
    }
  }

  #read(index: number): KvEvent {
    const at = ((this.#head + index) % this.#limit) * eventWords;
    const type = types[this.#words[at] as number] as (typeof types)[number];
    const parent = hexOf(this.#words, at + 6);
    return {
      type,
      block: this.#words[at + 1] as number,
      key: type === 'cleared' ? '' : hexOf(this.#words, at + 2),
      parent: type === 'stored' && /[^0]/.test(parent) ? parent : undefined,
    };
  }
}

/** A key as 32 hexadecimal digits. */
export function hexOf(keys: Int32Array, at: number): string {
  let text = '';
  for (let word = 0; word < 4; word++) {
    text += ((keys[at + word] as number) >>> 0).toString(16).padStart(8, '0');
  }
  return text;
}
