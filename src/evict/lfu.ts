/**
 * Least frequently used, among some candidates drawn at random; of those used equally often the one that was not used for longest. Counts are halved
 * now and then, so that what was popular once does not stay for ever.
 */

import type { Random } from '../base/random.ts';
import { noPlace, type Policy } from './api.ts';
import { Candidates } from './candidates.ts';

const draws = 64;
/** Counts are halved after so many uses for each place. */
const agingUses = 10;

export class Lfu implements Policy {
  readonly name = 'lfu';
  readonly #candidates: Candidates;
  readonly #uses: Int32Array;
  readonly #usedAt: Int32Array;
  #clock = 0;
  #usesToAging: number;

  /** @param places capacity of the cache in blocks */
  constructor(places: number, random: Random) {
    this.#candidates = new Candidates(places, random);
    this.#uses = new Int32Array(places);
    this.#usedAt = new Int32Array(places);
    this.#usesToAging = agingUses * places;
  }

  begin(): void {
    this.#clock = (this.#clock + 1) & 0x7fff_ffff;
  }

  extend(): void {}

  place(_request: number, _depth: number, place: number): void {
    this.#uses[place] = 0;
    this.#candidates.fill(place);
    this.#note(place);
  }

  release(place: number): void {
    this.#candidates.release(place);
  }

  retain(place: number): void {
    this.#candidates.retain(place);
    this.#note(place);
  }

  leaf(place: number): void {
    this.#candidates.leaf(place);
  }

  branch(place: number): void {
    this.#candidates.branch(place);
  }

  victim(): number {
    let lowest = noPlace;
    if (this.#candidates.count === 0) return lowest;
    for (let i = 0; i < draws; i++) {
      const place = this.#candidates.draw();
      if (lowest === noPlace || this.#isBelow(place, lowest)) lowest = place;
    }
    return lowest;
  }

  admits(): boolean {
    return this.#candidates.count > 0;
  }

  gone(place: number): void {
    this.#candidates.empty(place);
  }

  end(): void {}

  reset(): void {
    this.#candidates.reset();
    this.#clock = 0;
    this.#usesToAging = agingUses * this.#uses.length;
  }

  #isBelow(place: number, other: number): boolean {
    const uses = (this.#uses[place] as number) - (this.#uses[other] as number);
    return (
      uses < 0 || (uses === 0 && (this.#usedAt[place] as number) < (this.#usedAt[other] as number))
    );
  }

  #note(place: number): void {
    this.#uses[place] = (this.#uses[place] as number) + 1;
    this.#usedAt[place] = this.#clock;
    if (--this.#usesToAging > 0) return;
    this.#usesToAging = agingUses * this.#uses.length;
    for (let i = 0; i < this.#uses.length; i++) this.#uses[i] = (this.#uses[i] as number) >> 1;
  }
}
