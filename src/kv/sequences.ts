/**
 * Sequences under way: a slot each, of plain words, and a block table that only grows. A slot keeps the memory of its table for the next
 * sequence, so that nothing is allocated in steady state.
 *
 * ```
 *  id   30                 slotBits  slotBits−1        0
 *     ┌──────────────────────────┬─────────────────────┐   a slot's generation rises with each sequence: an id that
 *     │ generation (from 1)      │ slot                │   is kept for too long is told from its successor
 *     └──────────────────────────┴─────────────────────┘
 *  table of a sequence of 4 blocks of which the first two were matched, a third is full, a fourth is filling; 2 more are reserved
 *     ┌─────────┬─────────┬────────┬────────┬──────────┬──────────┐
 *     │ matched │ matched │ sealed │ tail   │ reserved │ reserved │    0 ≤ published ≤ sealed ≤ held
 *     └─────────┴─────────┴────────┴────────┴──────────┴──────────┘
 * ```
 */

import { noPlace } from '../evict/api.ts';
import { fail } from '../errors.ts';
import { show } from '../base/show.ts';
import { stateWords } from './chain.ts';

/** Words of a slot. */
export const field = {
  /** Of the sequence in it; negative when there is none. */
  generation: 0,
  /** Tokens that it has. */
  length: 1,
  /** Blocks in its table. */
  held: 2,
  /** Blocks that its prefill found. */
  matched: 3,
  /** Full blocks, their keys known. */
  sealed: 4,
  /** Blocks that others can find, or could if they were not doubles. */
  published: 5,
  /** Tokens that the engine has computed, as far as we were told. */
  computed: 6,
  /** First block that it still uses: those before it are out of the window. */
  windowFrom: 7,
  /** Tokens in the block that is filling. */
  fill: 8,
  /** Words absorbed for that block beside its tokens. */
  extras: 9,
  inputTokens: 10,
  /** Lower goes later when somebody must wait. */
  priority: 11,
  /** Number of its arrival, modulo 2^31. */
  arrival: 12,
} as const;

const slotShift = 4;
const tableLengthMin = 16;
/** Table of a slot that no sequence has had. */
const unused = new Int32Array(0);

export class Sequences {
  readonly slots: number;
  readonly #slotBits: number;
  readonly #words: Int32Array;
  /** Hash state of each slot. */
  readonly states: Int32Array;
  readonly #tables: Int32Array[];
  readonly #freeSlots: Int32Array;
  #freeCount: number;
  #arrivals = 0;

  constructor(slots: number) {
    this.slots = slots;
    this.#slotBits = Math.max(1, Math.ceil(Math.log2(slots)));
    this.#words = new Int32Array(slots << slotShift);
    this.states = new Int32Array(slots * stateWords);
    this.#tables = Array.from({ length: slots }, () => unused);
    this.#freeSlots = Int32Array.from({ length: slots }, (_, i) => slots - 1 - i);
    this.#freeCount = slots;
    for (let slot = 0; slot < slots; slot++) this.set(slot, field.generation, -1);
  }

  /** Sequences under way. */
  get count(): number {
    return this.slots - this.#freeCount;
  }

  get(slot: number, name: number): number {
    return this.#words[(slot << slotShift) + name] as number;
  }

  set(slot: number, name: number, value: number): void {
    this.#words[(slot << slotShift) + name] = value;
  }

  isActive(slot: number): boolean {
    return this.get(slot, field.generation) > 0;
  }

  /** The slot that the next sequence takes, or `noPlace`. */
  peek(): number {
    return this.#freeCount === 0 ? noPlace : (this.#freeSlots[this.#freeCount - 1] as number);
  }

  /** Takes the slot that `peek` gave; all words but generation and arrival are 0. */
  open(slot: number): void {
    this.#freeCount--;
    const at = slot << slotShift;
    const generation = -(this.#words[at] as number) & this.#generationMask() || 1;
    this.#words.fill(0, at, at + (1 << slotShift));
    this.#words[at] = generation;
    this.#words[at + field.arrival] = this.#arrivals;
    this.#arrivals = (this.#arrivals + 1) & 0x7fffffff;
  }

  close(slot: number): void {
    const at = slot << slotShift;
    this.#words[at] = -((this.#words[at] as number) + 1);
    this.#freeSlots[this.#freeCount++] = slot;
  }

  idOf(slot: number): number {
    return (this.get(slot, field.generation) << this.#slotBits) | slot;
  }

  has(id: number): boolean {
    const at = (id & ((1 << this.#slotBits) - 1)) << slotShift;
    return id === (id | 0) && id > 0 && this.#words[at] === id >> this.#slotBits;
  }

  /** @throws unknown_sequence */
  slotOf(id: number): number {
    if (!this.has(id)) fail('unknown_sequence', `there is no sequence ${show(id)}`);
    return id & ((1 << this.#slotBits) - 1);
  }

  /** The block table of a slot, at least `length` long; what it held is kept. */
  table(slot: number, length: number): Int32Array {
    const table = this.#tables[slot] as Int32Array;
    return length <= table.length ? table : this.#grow(slot, length);
  }

  /** Appends a block to a slot's table. */
  push(slot: number, place: number): void {
    const held = this.get(slot, field.held);
    this.table(slot, held + 1)[held] = place;
    this.set(slot, field.held, held + 1);
  }

  #grow(slot: number, length: number): Int32Array {
    const old = this.#tables[slot] as Int32Array;
    const table = new Int32Array(Math.max(length, 2 * old.length, tableLengthMin));
    table.set(old);
    this.#tables[slot] = table;
    return table;
  }

  #generationMask(): number {
    return 2 ** (31 - this.#slotBits) - 1;
  }
}
