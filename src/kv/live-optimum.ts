/**
 * How far a cache is from the best it could have done: what the offline optimum would have hit of the last requests, from a sample of blocks.
 *
 * The optimum keeps the beginnings of chains, since a block is never used later than one that extends it. So it hits a prefix exactly where it hits
 * each of its blocks, and a sample of blocks, each taken or not by its key, in a cache as much smaller, stands for all (SHARDS: Waldspurger et
 * al., FAST 2015). Where a block is so frequent that the sample has clearly too many or too few references, those count as hits: such a block
 * is always there.
 */

import { keyWords } from '../evict/api.ts';
import { prefixHits } from './replay/block-cache.ts';
import { OptimalBlocks } from './replay/optimum.ts';
import { requestCount, TraceBuilder } from './traces/trace.ts';

export interface LiveOptimumOptions {
  /** Capacity of the cache in blocks. */
  readonly places: number;
  /** References that are looked back on. Default: 16 for each place, and not fewer than 2^18. */
  readonly windowReferences?: number;
  /** References that are remembered at most, 12 bytes each: up to so many the figure is exact. Default 2^18 and a quarter. */
  readonly sampleReferences?: number;
}

export interface OptimumReport {
  readonly references: number;
  /** Hit ratio of the cache in the window. */
  readonly hitRatio: number;
  /** What the optimum would have hit, estimated. */
  readonly optimumHitRatio: number;
}

const windowPerPlace = 16;
const windowMin: number = 2 ** 18;
const sampleDefault: number = 2 ** 18 + 2 ** 16;
/** Requests that are remembered at most. */
const requestsMax = 2 ** 16;
/** A sample is of 1/2^shift of all keys. */
const shiftMax = 20;

export class LiveOptimum {
  readonly #places: number;
  readonly #windowReferences: number;
  /** Rings: of sampled references their key and request; of requests their references and hits. */
  readonly #keyLow: Int32Array;
  readonly #keyHigh: Int32Array;
  readonly #requestOf: Int32Array;
  readonly #referencesOf: Int32Array = new Int32Array(requestsMax);
  readonly #hitsOf: Int32Array = new Int32Array(requestsMax);
  /** Numbers of the next and of the oldest that is remembered, both never falling. */
  #sampleEnd = 0;
  #sampleStart = 0;
  #requestEnd = 0;
  #requestStart = 0;
  #references = 0;
  #hits = 0;
  #shift = 0;

  constructor(options: LiveOptimumOptions) {
    const sample = options.sampleReferences ?? sampleDefault;
    this.#places = options.places;
    this.#windowReferences =
      options.windowReferences ?? Math.max(windowMin, windowPerPlace * options.places);
    this.#keyLow = new Int32Array(sample);
    this.#keyHigh = new Int32Array(sample);
    this.#requestOf = new Int32Array(sample);
  }

  /** Takes in a request: keys of its blocks, and how many of the first ones were hits. */
  note(keys: Int32Array, count: number, hits: number): void {
    if (this.#requestEnd - this.#requestStart === requestsMax) this.#dropRequest();
    const request = this.#requestEnd++;
    this.#referencesOf[request % requestsMax] = count;
    this.#hitsOf[request % requestsMax] = hits;
    this.#references += count;
    this.#hits += hits;
    for (let block = 0; block < count; block++) {
      const low = keys[block * keyWords] as number;
      const high = keys[block * keyWords + 1] as number;
      if (isSampled(low, high, this.#shift)) this.#remember(low, high, request);
    }
    while (this.#references > this.#windowReferences && this.#requestEnd - this.#requestStart > 1) {
      this.#dropRequest();
    }
  }

  /** Plays the optimum over the sample: some milliseconds. */
  report(): OptimumReport {
    const builder = new TraceBuilder('sample');
    const size = this.#keyLow.length;
    let current = -1;
    for (let at = this.#sampleStart; at < this.#sampleEnd; at++) {
      const slot = at % size;
      const request = this.#requestOf[slot] as number;
      if (request !== current) builder.begin(request);
      current = request;
      // 53 bits of the key: as many as a number holds exactly.
      const high = (this.#keyHigh[slot] as number) & 0x1f_ffff;
      builder.add(high * 2 ** 32 + ((this.#keyLow[slot] as number) >>> 0));
    }
    const trace = builder.build();
    const share = 2 ** -this.#shift;
    const optimum = new OptimalBlocks(trace, Math.max(1, Math.round(this.#places * share)));
    let hits = 0;
    for (let request = 0; request < requestCount(trace); request++) {
      hits += prefixHits(trace, optimum, request);
      optimum.use(request);
    }
    const expected = this.#references * share;
    const missing = expected - trace.references.length;
    const ratio = expected === 0 ? 0 : (hits + missing) / expected;
    return {
      references: this.#references,
      hitRatio: this.#references === 0 ? 0 : this.#hits / this.#references,
      optimumHitRatio: Math.max(0, Math.min(1, ratio)),
    };
  }

  #remember(low: number, high: number, request: number): void {
    const size = this.#keyLow.length;
    while (this.#sampleEnd - this.#sampleStart === size) this.#thin();
    if (!isSampled(low, high, this.#shift)) return;
    const slot = this.#sampleEnd++ % size;
    this.#keyLow[slot] = low;
    this.#keyHigh[slot] = high;
    this.#requestOf[slot] = request;
  }

  /** Samples half as many keys from now on, and forgets the others. */
  #thin(): void {
    const size = this.#keyLow.length;
    if (this.#shift === shiftMax) {
      this.#dropRequest();
      return;
    }
    this.#shift++;
    let kept = this.#sampleStart;
    for (let at = this.#sampleStart; at < this.#sampleEnd; at++) {
      const from = at % size;
      const low = this.#keyLow[from] as number;
      const high = this.#keyHigh[from] as number;
      if (!isSampled(low, high, this.#shift)) continue;
      const to = kept++ % size;
      this.#keyLow[to] = low;
      this.#keyHigh[to] = high;
      this.#requestOf[to] = this.#requestOf[from] as number;
    }
    this.#sampleEnd = kept;
  }

  #dropRequest(): void {
    const request = this.#requestStart++;
    this.#references -= this.#referencesOf[request % requestsMax] as number;
    this.#hits -= this.#hitsOf[request % requestsMax] as number;
    const size = this.#requestOf.length;
    while (
      this.#sampleStart < this.#sampleEnd &&
      (this.#requestOf[this.#sampleStart % size] as number) <= request
    ) {
      this.#sampleStart++;
    }
  }
}

/** By bits of the key that hash tables do not use. */
function isSampled(low: number, high: number, shift: number): boolean {
  const mixed = Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 15)) >>> (32 - shift) === 0 || shift === 0;
}
