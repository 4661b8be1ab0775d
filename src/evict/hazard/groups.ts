/**
 * Groups: the blocks of one request that are alike in all features. They are ranked and learned from as one.
 *
 * Groups whose request is over stand in a queue in the order in which they were last used. For each age bucket a pointer stands before the first
 * group that has not lived through it yet: so every survival is noticed once, and exactly at the end of the bucket.
 */

import { ageBuckets, ageEdges } from './ages.ts';
import { featureCount } from './features.ts';
import { grown } from '../../base/grown.ts';
import { none } from './known.ts';

const firstGroups = 256;
/** No bucket's worth is at hand. */
const noBucket = 255;

export class Groups {
  /** When it was last used, in seconds. */
  usedAtS: Float64Array = new Float64Array(firstGroups);
  bins: Uint8Array = new Uint8Array(firstGroups * featureCount);
  /** Blocks that were not used since. */
  live: Int32Array = new Int32Array(firstGroups);
  /** 0: nothing is learned from it. */
  weight: Float64Array = new Float64Array(firstGroups);
  record: Int32Array = new Int32Array(firstGroups);
  /** The last request that was seen to use a block of it. */
  seenBy: Int32Array = new Int32Array(firstGroups);
  /** 1: LRU would keep its blocks. */
  isRecent: Uint8Array = new Uint8Array(firstGroups);
  /** 1 while its request runs. */
  running: Uint8Array = new Uint8Array(firstGroups);
  /** Bucket for which the two worths stand, at its beginning and at its end. */
  worthBucket: Uint8Array = new Uint8Array(firstGroups);
  worthBefore: Float64Array = new Float64Array(firstGroups);
  worthAfter: Float64Array = new Float64Array(firstGroups);
  /** Worth of a block of it that is about to be kept; below 0: not worked out yet. */
  arrivalWorth: Float64Array = new Float64Array(firstGroups);
  #next = new Int32Array(firstGroups);
  #previous = new Int32Array(firstGroups);
  #used = 0;
  #free = none;
  #last = none;
  readonly #waiting = new Int32Array(ageBuckets).fill(none);

  /** A group of a running request, without features. */
  create(record: number, nowS: number): number {
    const group = this.#take();
    this.usedAtS[group] = nowS;
    this.seenBy[group] = 0;
    this.live[group] = 0;
    this.weight[group] = 0;
    this.record[group] = record;
    this.running[group] = 1;
    this.isRecent[group] = 0;
    this.arrivalWorth[group] = -1;
    this.worthBucket[group] = noBucket;
    return group;
  }

  /** Its request is over: from now on it ages. Called in the order of time. */
  enqueue(group: number, nowS: number): void {
    this.usedAtS[group] = nowS;
    this.running[group] = 0;
    this.worthBucket[group] = noBucket;
    this.#next[group] = none;
    this.#previous[group] = this.#last;
    if (this.#last !== none) this.#next[this.#last] = group;
    this.#last = group;
    for (let bucket = 0; bucket < ageBuckets; bucket++) {
      if (this.#waiting[bucket] === none) this.#waiting[bucket] = group;
    }
  }

  /** The next newer group, or none. */
  after(group: number): number {
    return this.#next[group] as number;
  }

  /** Tells of each group that has lived through a bucket since. */
  advance(nowS: number, survived: (group: number, bucket: number) => void): void {
    for (let bucket = 0; bucket < ageBuckets; bucket++) {
      const usedByS = nowS - (ageEdges[bucket + 1] as number);
      let group = this.#waiting[bucket] as number;
      while (group !== none && (this.usedAtS[group] as number) <= usedByS) {
        if (this.weight[group] !== 0) survived(group, bucket);
        group = this.#next[group] as number;
      }
      this.#waiting[bucket] = group;
    }
  }

  /** Forgets a group without blocks. */
  release(group: number): void {
    if (this.running[group] === 0) this.#dequeue(group);
    this.#next[group] = this.#free;
    this.#free = group;
  }

  reset(): void {
    this.#used = 0;
    this.#free = none;
    this.#last = none;
    this.#waiting.fill(none);
  }

  #dequeue(group: number): void {
    const next = this.#next[group] as number;
    const previous = this.#previous[group] as number;
    for (let bucket = 0; bucket < ageBuckets; bucket++) {
      if (this.#waiting[bucket] === group) this.#waiting[bucket] = next;
    }
    if (previous !== none) this.#next[previous] = next;
    if (next === none) this.#last = previous;
    else this.#previous[next] = previous;
  }

  #take(): number {
    if (this.#free !== none) {
      const group = this.#free;
      this.#free = this.#next[group] as number;
      return group;
    }
    if (this.#used === this.live.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const count = 2 * this.live.length;
    this.usedAtS = grown(this.usedAtS, count);
    this.bins = grown(this.bins, count * featureCount);
    this.live = grown(this.live, count);
    this.weight = grown(this.weight, count);
    this.record = grown(this.record, count);
    this.seenBy = grown(this.seenBy, count);
    this.isRecent = grown(this.isRecent, count);
    this.running = grown(this.running, count);
    this.worthBucket = grown(this.worthBucket, count);
    this.worthBefore = grown(this.worthBefore, count);
    this.worthAfter = grown(this.worthAfter, count);
    this.arrivalWorth = grown(this.arrivalWorth, count);
    this.#next = grown(this.#next, count);
    this.#previous = grown(this.#previous, count);
  }
}
