/** Parts that may be evicted next: the best of those that were drawn, kept from one eviction to the next. */

import type { Ref, Region } from '../memory/region.ts';
import { peek, type Words } from '../memory/words.ts';
import { field, segmentOf, wordOf } from './entry.ts';

const kept = 32;

export class Candidates {
  /** In order of age, the oldest last: the next to go is popped. */
  readonly #refs = new Int32Array(kept);
  readonly #states = new Int32Array(kept);
  readonly #accesses = new Int32Array(kept);
  /** The tick at which the candidate would have been used last, going by the age that it was given when it was drawn. */
  readonly #births = new Int32Array(kept);
  #count = 0;

  /** Keeps an entry when there is place or it is older than the youngest kept. Most draws end at the first test. */
  consider(ref: Ref, words: Words, at: number, age: number, now: number): void {
    const full = this.#count === kept;
    if (full && age <= this.#ageAt(0, now)) return;
    for (let i = 0; i < this.#count; i++) if (this.#refs[i] === ref) return;
    let slot = 0;
    if (full) {
      // Those that are younger go down by one, over the youngest: a candidate is older than few.
      for (; slot + 1 < kept && this.#ageAt(slot + 1, now) < age; slot++)
        this.#move(slot + 1, slot);
    } else {
      for (slot = this.#count++; slot > 0 && this.#ageAt(slot - 1, now) > age; slot--)
        this.#move(slot - 1, slot);
    }
    this.#refs[slot] = ref;
    this.#states[slot] = peek(words, at + field.state);
    this.#accesses[slot] = peek(words, at + field.lastAccess);
    this.#births[slot] = (now - age) & 0x7fffffff;
  }

  /** Takes the oldest that was neither used nor changed since it was drawn, or 0. */
  pop(region: Region): Ref {
    while (this.#count > 0) {
      const i = --this.#count;
      const ref = this.#refs[i] as number;
      const { words } = segmentOf(region, ref);
      const at = wordOf(region, ref);
      if (peek(words, at + field.state) !== this.#states[i]) continue;
      if (peek(words, at + field.lastAccess) === this.#accesses[i]) return ref;
    }
    return 0;
  }

  #ageAt(i: number, now: number): number {
    return (now - (this.#births[i] as number)) & 0x7fffffff;
  }

  #move(from: number, to: number): void {
    this.#refs[to] = this.#refs[from] as number;
    this.#states[to] = this.#states[from] as number;
    this.#accesses[to] = this.#accesses[from] as number;
    this.#births[to] = this.#births[from] as number;
  }
}
