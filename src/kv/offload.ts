/**
 * Blocks elsewhere: numbered slots in host memory, on disk or at another node. The engine moves the bytes; this decides what goes where, in two phases.
 * Slots are given away least recently used first.
 *
 * ```
 *   prepareStore ─▶ under way: cannot be found, cannot be evicted ─┬─ complete ─▶ found
 *                                                                  └─ cancel ───▶ as if it had never been
 *   prepareLoad ──▶ under way: its slots cannot be evicted ────────┬─ complete ─▶ the sequence has these tokens
 *                                                                  └─ cancel ───▶ the sequence computes them
 * ```
 * The cache's blocks stay in use until the transfer ends, whatever becomes of the sequence meanwhile.
 */

import { systemClock, type Clock } from '../base/clock.ts';
import { show } from '../base/show.ts';
import { keyWords, noPlace } from '../evict/api.ts';
import { Lru } from '../evict/lru.ts';
import { fail } from '../errors.ts';
import { Blocks } from './blocks.ts';
import { type KvCache, stateOf } from './kv-cache.ts';
import { matchable } from './matching.ts';
import { checkCount } from './options.ts';
import { Reports } from './reports.ts';
import { field } from './sequences.ts';
import type { State } from './state.ts';

export interface OffloadOptions {
  /** Slots, numbered from 0, each for one block. */
  readonly slots: number;
  /** Transfers under way at once, at most. */
  readonly transfersMax?: number;
  readonly clock?: Clock;
}

/** What the engine is to copy: `blocks[i]` to `slots[i]`, or back. */
export interface Transfer {
  readonly id: number;
  readonly direction: 'store' | 'load';
  readonly blocks: Int32Array;
  readonly slots: Int32Array;
}

interface UnderWay {
  readonly transfer: Transfer;
  /** The sequence's blocks from its first on, in use meanwhile: whoever uses a block uses all before it. */
  readonly pinned: Int32Array;
  readonly sequence: number;
  /** Tokens that the sequence has when a load is complete. */
  readonly tokens: number;
}

const slotsMax = 2 ** 27;
const transfersMaxDefault = 64;
const transfersLimit = 2 ** 16;

export class Offload {
  readonly #cache: KvCache;
  readonly #near: State;
  readonly #far: Blocks;
  /** 1 for slots whose bytes are there. */
  readonly #ready: Uint8Array;
  readonly #reports: Reports;
  readonly #clock: Clock;
  readonly #transfersMax: number;
  readonly #underWay = new Map<number, UnderWay>();
  readonly #key = new Int32Array(keyWords);
  #next = 1;

  /** @throws invalid_argument */
  constructor(cache: KvCache, options: OffloadOptions) {
    const { slots, transfersMax = transfersMaxDefault } = options;
    checkCount('slots', slots, 1, slotsMax);
    checkCount('transfersMax', transfersMax, 1, transfersLimit);
    this.#cache = cache;
    this.#near = stateOf(cache);
    this.#reports = new Reports(slots);
    this.#far = new Blocks(slots, new Lru(slots), false, this.#reports, undefined);
    this.#ready = new Uint8Array(slots);
    this.#clock = options.clock ?? systemClock;
    this.#transfersMax = transfersMax;
  }

  /** Blocks of the cache that are in use only because they are being stored. */
  blocksToCome(): number {
    const { blocks } = this.#near;
    let count = 0;
    for (const { transfer, pinned } of this.#underWay.values()) {
      if (transfer.direction === 'load') continue;
      for (const place of pinned) if (blocks.users(place) === 1) count++;
    }
    return count;
  }

  stats(): { slots: number; free: number; idle: number; stored: number; underWay: number } {
    const { capacity: slots, free, idle, cached: stored } = this.#far;
    return { slots, free, idle, stored, underWay: this.#underWay.size };
  }

  /**
   * Begins to store the full, computed blocks of a sequence that are not stored yet.
   * @returns undefined when there is nothing to do, no room, or too much under way: nothing has changed
   * @throws unknown_sequence
   */
  prepareStore(sequence: number): Transfer | undefined {
    const { sequences } = this.#near;
    const slot = sequences.slotOf(sequence);
    if (this.#underWay.size === this.#transfersMax) return undefined;
    this.#reports.at(this.#clock.nowMs());
    const places = this.#held(slot, sequences.get(slot, field.published));
    // What is stored already is held meanwhile: else it might be what makes room for the rest.
    const stored = places.map((place) => this.#find(place));
    const held = stored.filter((place) => place !== noPlace);
    for (const place of held) this.#far.retain(place);
    const missing = places.filter((_, i) => stored[i] === noPlace);
    const fits = missing.length <= this.#far.free + this.#far.idle;
    const hasRoom = missing.length > 0 && fits && this.#far.makeRoom(missing.length);
    for (const place of held.reverse()) this.#far.release(place);
    if (!hasRoom) return undefined;
    const slots = missing.map((place) => this.#take(place));
    return this.#begin({ direction: 'store', blocks: missing, slots }, sequence, places, 0);
  }

  /**
   * Begins to load what is stored of a sequence behind what its prefill found. For sequences that were begun with `computed: false`.
   * @returns undefined when there is nothing to load, or too much under way
   * @throws unknown_sequence
   */
  prepareLoad(sequence: number): Transfer | undefined {
    const { sequences, blockTokens } = this.#near;
    const slot = sequences.slotOf(sequence);
    if (this.#underWay.size === this.#transfersMax) return undefined;
    this.#reports.at(this.#clock.nowMs());
    const from = sequences.get(slot, field.published);
    const limit = matchable(this.#near, sequences.get(slot, field.length));
    const table = sequences.table(slot, 0);
    let end = from;
    while (end < limit && this.#isReady(this.#find(table[end] as number))) end++;
    if (end === from) return undefined;
    const places = table.slice(from, end);
    const slots = places.map((place) => this.#find(place));
    for (const place of slots) this.#far.retain(place);
    const pinned = this.#held(slot, end);
    const load = { direction: 'load', blocks: places, slots } as const;
    return this.#begin(load, sequence, pinned, end * blockTokens);
  }

  /** The bytes have arrived. @throws unknown_transfer */
  complete(id: number): void {
    const ended = this.#end(id);
    const { transfer, sequence, tokens } = ended;
    if (transfer.direction === 'store') {
      for (const slot of transfer.slots) this.#ready[slot] = 1;
    } else if (this.#near.sequences.has(sequence)) {
      this.#cache.computed(sequence, tokens);
    }
    this.#letGo(ended);
  }

  /** The bytes do not arrive: it failed, or nobody wants them any more. @throws unknown_transfer */
  cancel(id: number): void {
    const ended = this.#end(id);
    const { transfer } = ended;
    if (transfer.direction === 'store') {
      for (const slot of transfer.slots) this.#far.withdraw(slot);
    }
    this.#letGo(ended);
  }

  /** Forgets everything. @returns false, and does nothing, while a transfer is under way */
  reset(): boolean {
    if (this.#underWay.size > 0) return false;
    this.#far.clear();
    return true;
  }

  #begin(
    what: Omit<Transfer, 'id'>,
    sequence: number,
    pinned: Int32Array,
    tokens: number,
  ): Transfer {
    for (const place of pinned) this.#near.blocks.retain(place);
    const transfer: Transfer = { id: this.#next++, ...what };
    this.#underWay.set(transfer.id, { transfer, sequence, pinned, tokens });
    return transfer;
  }

  /** The blocks of a sequence before number `end`, but for those that have left its window. */
  #held(slot: number, end: number): Int32Array {
    const { sequences } = this.#near;
    const from = sequences.get(slot, field.windowFrom);
    return sequences.table(slot, 0).slice(from, Math.max(from, end));
  }

  #end(id: number): UnderWay {
    const found = this.#underWay.get(id);
    if (found === undefined) fail('unknown_transfer', `there is no transfer ${show(id)}`);
    this.#underWay.delete(id);
    this.#reports.at(this.#clock.nowMs());
    return found;
  }

  /** The last of a chain first, as always. */
  #letGo({ transfer, pinned }: UnderWay): void {
    for (const slot of transfer.slots.toReversed()) this.#far.release(slot);
    for (const place of pinned.toReversed()) this.#near.blocks.release(place);
  }

  /** The slot that has, or is to have, the content of a block; `noPlace` when there is none. */
  #find(place: number): number {
    this.#near.blocks.keyOf(place, this.#key, 0);
    return this.#far.find(this.#key, 0);
  }

  #isReady(slot: number): boolean {
    return slot !== noPlace && this.#ready[slot] === 1;
  }

  /** A slot for a block, known at once, so that nobody else stores it, and not ready. */
  #take(place: number): number {
    this.#near.blocks.keyOf(place, this.#key, 0);
    const slot = this.#far.take();
    this.#ready[slot] = 0;
    this.#far.seal(slot, this.#key, 0);
    this.#far.publish(slot, noPlace, 0, 0);
    return slot;
  }
}
