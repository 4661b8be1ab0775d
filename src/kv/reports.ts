/** How blocks live: histograms of durations in fixed logarithmic cells, a stamp or two per block, nothing else. */

import { Histogram } from '../base/histogram.ts';

/** In milliseconds. Stamps are milliseconds modulo 2^32: durations are right up to 24 days. */
export class Reports {
  /** From the last release of an evicted block to its eviction. */
  readonly idleBeforeEvict: Histogram = new Histogram();
  /** From the last release of a block to its next use. */
  readonly reuseGap: Histogram = new Histogram();
  /** From the moment a block could be found to its eviction. */
  readonly lifetime: Histogram = new Histogram();
  /** (stored, released) of each place. */
  readonly #stamps: Int32Array;
  #now = 0;

  constructor(capacity: number) {
    this.#stamps = new Int32Array(2 * capacity);
  }

  /** Set before anything is recorded. */
  at(nowMs: number): void {
    this.#now = nowMs | 0;
  }

  stored(place: number): void {
    this.#stamps[place << 1] = this.#now;
  }

  released(place: number): void {
    this.#stamps[(place << 1) + 1] = this.#now;
  }

  reused(place: number): void {
    this.reuseGap.record(this.#since((place << 1) + 1));
  }

  evicted(place: number): void {
    this.idleBeforeEvict.record(this.#since((place << 1) + 1));
    this.lifetime.record(this.#since(place << 1));
  }

  #since(stamp: number): number {
    return (this.#now - (this.#stamps[stamp] as number)) | 0;
  }
}
