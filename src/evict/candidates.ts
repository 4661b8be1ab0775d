/** Places that may go: free of requests, and leaves. Drawn from at random. */

import type { Random } from '../base/random.ts';
import { noPlace } from './api.ts';

const released = 1;
const leaf = 2;
const both = 3;

export class Candidates {
  count = 0;
  readonly #places: Int32Array;
  readonly #position: Int32Array;
  /** Bits: released, leaf. */
  readonly #state: Uint8Array;
  readonly #random: Random;

  constructor(places: number, random: Random) {
    this.#places = new Int32Array(places);
    this.#position = new Int32Array(places).fill(noPlace);
    this.#state = new Uint8Array(places);
    this.#random = random;
  }

  draw(): number {
    return this.#places[this.#random.below(this.count)] as number;
  }

  has(place: number): boolean {
    return this.#state[place] === both;
  }

  release(place: number): void {
    this.#change(place, (this.#state[place] as number) | released);
  }

  retain(place: number): void {
    this.#change(place, (this.#state[place] as number) & ~released);
  }

  leaf(place: number): void {
    this.#change(place, (this.#state[place] as number) | leaf);
  }

  branch(place: number): void {
    this.#change(place, (this.#state[place] as number) & ~leaf);
  }

  /** A place gets another content: in use, and a leaf. */
  fill(place: number): void {
    this.#change(place, leaf);
  }

  /** A place has no content. */
  empty(place: number): void {
    this.#change(place, 0);
  }

  reset(): void {
    this.count = 0;
    this.#state.fill(0);
    this.#position.fill(noPlace);
  }

  #change(place: number, state: number): void {
    const before = this.#state[place];
    this.#state[place] = state;
    if (state === both && before !== both) {
      this.#position[place] = this.count;
      this.#places[this.count++] = place;
    } else if (state !== both && before === both) {
      const last = this.#places[--this.count] as number;
      const position = this.#position[place] as number;
      this.#places[position] = last;
      this.#position[last] = position;
    }
  }
}
