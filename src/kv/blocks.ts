/**
 * Numbered blocks: which are free, which hold what, and who uses them. Knows keys, not tokens, and places, not sequences.
 *
 * ```
 *           take                publish                  release (last user)
 *   free ─────────▶ in use ─────────────▶ in use, cached ──────────────────▶ idle, cached ─┐
 *    ▲  ◀── release ──┘                        ▲      └────────── retain ◀──────┘          │
 *    └─────────────────────────────────────────┼──────────────────────── evict ◀───────────┘
 *                                              find
 *
 * record of a place, 8 words, two records to a cache line:
 *  word 0      1      2      3      4              5                     6       7
 *     ┌──────┬──────┬──────┬──────┬──────────────┬─────────────────────┬───────┬──────────────────────────────────────┐
 *     │ key (of a full block)     │ next in the  │ cached: place of    │ users │ cached blocks that extend it (30 bits)│
 *     │                           │ key's bucket │ the block before;   │       │ double (1)  cached (1)               │
 *     │                           │              │ double: the holder  │       │                                      │
 *     └──────┴──────┴──────┴──────┴──────────────┴─────────────────────┴───────┴──────────────────────────────────────┘
 * ```
 * free + idle + in use = all, always. Any idle block can be evicted: whoever uses a block uses those before it.
 *
 * **Doubles.** Two sequences may compute the same block at once. Tables only grow, so both blocks live; the first holds the key, and the other
 * counts as a user of it, so that the key is found for as long as either lives. A double that nobody uses is free at once.
 */

import { noPlace, type Policy } from '../evict/api.ts';
import { fail } from '../errors.ts';
import type { Events } from './events.ts';
import type { Reports } from './reports.ts';

const recordShift = 3;
const recordWords = 1 << recordShift;
const nextWord = 4;
const linkWord = 5;
const usersWord = 6;
const stateWord = 7;
const cachedBit = 1;
const doubleBit = 2;
const childUnit = 4;

export class Blocks {
  readonly capacity: number;
  readonly policy: Policy;
  readonly #records: Int32Array;
  /** First place of each bucket; as many as there are blocks or up to twice that. */
  readonly #buckets: Int32Array;
  readonly #bucketMask: number;
  /** Free places in a ring: the longest free goes first. */
  readonly #ring: Int32Array;
  #ringHead = 0;
  #free: number;
  #idle = 0;
  #cached = 0;
  readonly #events: Events | undefined;
  readonly #reports: Reports;
  /** False where blocks are of use without those before them (sliding window): then none extends another. */
  readonly #linked: boolean;

  constructor(
    capacity: number,
    policy: Policy,
    linked: boolean,
    reports: Reports,
    events: Events | undefined,
  ) {
    this.capacity = capacity;
    this.policy = policy;
    this.#linked = linked;
    this.#reports = reports;
    this.#events = events;
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(capacity, 2)));
    this.#records = new Int32Array(capacity * recordWords);
    this.#buckets = new Int32Array(buckets).fill(noPlace);
    this.#bucketMask = buckets - 1;
    this.#ring = new Int32Array(capacity);
    for (let place = 0; place < capacity; place++) this.#ring[place] = place;
    this.#free = capacity;
  }

  get free(): number {
    return this.#free;
  }

  /** Cached and used by nobody. */
  get idle(): number {
    return this.#idle;
  }

  get cached(): number {
    return this.#cached;
  }

  users(place: number): number {
    return this.#records[(place << recordShift) + usersWord] as number;
  }

  isCached(place: number): boolean {
    return ((this.#records[(place << recordShift) + stateWord] as number) & cachedBit) !== 0;
  }

  /** Copies the key of a full block. */
  keyOf(place: number, keys: Int32Array, at: number): void {
    const from = place << recordShift;
    for (let word = 0; word < 4; word++) keys[at + word] = this.#records[from + word] as number;
  }

  /** The place that holds the key of a published block: itself, or the one that it doubles. */
  holder(place: number): number {
    const from = place << recordShift;
    const isDouble = ((this.#records[from + stateWord] as number) & doubleBit) !== 0;
    return isDouble ? (this.#records[from + linkWord] as number) : place;
  }

  /** The place that holds a key, or `noPlace`. */
  find(keys: Int32Array, at: number): number {
    const records = this.#records;
    const k0 = keys[at] as number;
    const k1 = keys[at + 1] as number;
    let place = this.#buckets[k0 & this.#bucketMask] as number;
    while (place !== noPlace) {
      const from = place << recordShift;
      if (
        records[from] === k0 &&
        records[from + 1] === k1 &&
        records[from + 2] === keys[at + 2] &&
        records[from + 3] === keys[at + 3]
      ) {
        return place;
      }
      place = records[from + nextWord] as number;
    }
    return noPlace;
  }

  /** Empties idle blocks until `count` are free. @returns false when there are not so many; those that were emptied stay so */
  makeRoom(count: number): boolean {
    while (this.#free < count) {
      const place = this.#idle === 0 ? noPlace : this.policy.victim();
      if (place === noPlace) return false;
      this.#checkVictim(place);
      this.#reports.evicted(place);
      this.#idle--;
      this.#empty(place);
    }
    return true;
  }

  /** A free block, now in use by one. Only after `makeRoom`. */
  take(): number {
    const place = this.#ring[this.#ringHead] as number;
    this.#ringHead = this.#ringHead + 1 === this.capacity ? 0 : this.#ringHead + 1;
    this.#free--;
    const from = place << recordShift;
    this.#records[from + linkWord] = noPlace;
    this.#records[from + usersWord] = 1;
    this.#records[from + stateWord] = 0;
    return place;
  }

  /** One more uses it. */
  retain(place: number): void {
    const at = (place << recordShift) + usersWord;
    const users = this.#records[at] as number;
    this.#records[at] = users + 1;
    if (users > 0) return;
    this.#idle--;
    this.#reports.reused(place);
    this.policy.retain(place);
  }

  /** One fewer uses it. Of several blocks the last of a chain comes first. */
  release(place: number): void {
    const from = place << recordShift;
    const users = (this.#records[from + usersWord] as number) - 1;
    this.#records[from + usersWord] = users;
    if (users > 0) return;
    const state = this.#records[from + stateWord] as number;
    if ((state & cachedBit) !== 0) {
      this.#idle++;
      this.#reports.released(place);
      this.policy.release(place);
      return;
    }
    this.#putFree(place);
    if ((state & doubleBit) !== 0) this.release(this.#records[from + linkWord] as number);
  }

  /** Notes the key of a block that is full. It is not found by it yet. */
  seal(place: number, keys: Int32Array, at: number): void {
    const from = place << recordShift;
    for (let word = 0; word < 4; word++) this.#records[from + word] = keys[at + word] as number;
  }

  /**
   * Lets a sealed block be found, unless another holds its key.
   * @param before the place that holds the key of the block before it, or `noPlace`
   * @returns the place that holds its key
   */
  publish(place: number, before: number, request: number, depth: number): number {
    const records = this.#records;
    const from = place << recordShift;
    const state = records[from + stateWord] as number;
    if ((state & cachedBit) !== 0) return place;
    if ((state & doubleBit) !== 0) return records[from + linkWord] as number;
    const holder = this.find(records, from);
    if (holder !== noPlace) {
      records[from + stateWord] = doubleBit;
      records[from + linkWord] = holder;
      this.retain(holder);
      return holder;
    }
    const bucket = (records[from] as number) & this.#bucketMask;
    records[from + nextWord] = this.#buckets[bucket] as number;
    this.#buckets[bucket] = place;
    records[from + stateWord] = cachedBit;
    this.#cached++;
    this.#reports.stored(place);
    this.#events?.stored(place, before, records);
    this.policy.place(request, depth, place);
    if (this.#linked && before !== noPlace) this.#extend(place, before);
    return place;
  }

  /**
   * Nobody finds a block any more: its content is not what its key says.
   * @returns false when it has other users or was extended: then it stays
   */
  withdraw(place: number): boolean {
    const from = place << recordShift;
    const state = this.#records[from + stateWord] as number;
    if (state >= childUnit || (this.#records[from + usersWord] as number) > 1) return false;
    if (state !== cachedBit) return true;
    this.#unlink(place);
    this.#records[from + stateWord] = 0;
    return true;
  }

  /** Empties all that nobody uses. */
  clear(): void {
    this.policy.reset();
    this.#buckets.fill(noPlace);
    this.#records.fill(0);
    for (let place = 0; place < this.capacity; place++) this.#ring[place] = place;
    this.#ringHead = 0;
    this.#free = this.capacity;
    this.#idle = 0;
    this.#cached = 0;
    this.#events?.cleared();
  }

  #extend(place: number, before: number): void {
    this.#records[(place << recordShift) + linkWord] = before;
    const at = (before << recordShift) + stateWord;
    const state = this.#records[at] as number;
    this.#records[at] = state + childUnit;
    if (state < childUnit) this.policy.branch(before);
  }

  #empty(place: number): void {
    this.#unlink(place);
    this.#putFree(place);
  }

  /** Out of the index and off the block before it. */
  #unlink(place: number): void {
    const records = this.#records;
    const from = place << recordShift;
    this.#events?.removed(place, records);
    const bucket = (records[from] as number) & this.#bucketMask;
    const next = records[from + nextWord] as number;
    let at = this.#buckets[bucket] as number;
    if (at === place) this.#buckets[bucket] = next;
    else {
      while (records[(at << recordShift) + nextWord] !== place) {
        at = records[(at << recordShift) + nextWord] as number;
      }
      records[(at << recordShift) + nextWord] = next;
    }
    this.#cached--;
    this.policy.gone(place);
    const before = records[from + linkWord] as number;
    if (before === noPlace) return;
    const stateAt = (before << recordShift) + stateWord;
    const state = (records[stateAt] as number) - childUnit;
    records[stateAt] = state;
    if (state < childUnit) this.policy.leaf(before);
  }

  #putFree(place: number): void {
    const slot = this.#ringHead + this.#free;
    this.#ring[slot >= this.capacity ? slot - this.capacity : slot] = place;
    this.#free++;
  }

  #checkVictim(place: number): void {
    const from = place << recordShift;
    const state = this.#records[from + stateWord];
    if (state === cachedBit && this.#records[from + usersWord] === 0) return;
    fail(
      'policy_broken',
      `the policy ${this.policy.name} gave away place ${place}, which is not an idle leaf`,
    );
  }
}
