/**
 * The model of chains, for entries of a store: it learns from looks. Whenever an entry is drawn, what has happened to it since the last look is told: the
 * buckets of age that it has lived through, and its return if it was used. So a get costs nothing; what nobody looked at teaches nothing, which is fair,
 * since looks are at random. Ages count in accesses.
 */

import type { EntryFacts, EntryRanking } from '../entries.ts';
import { ageBuckets, ageEdges, ageWidths, bucketOf } from './ages.ts';
import {
  countBin,
  evidenceBins,
  evidenceFeature,
  featureCount,
  gapBin,
  lengthBin,
  ownGapBin,
} from './features.ts';
import { grown } from '../../base/grown.ts';
import { Model } from './model.ts';

const firstEntries = 256;
/** A worth that was worked out is good for so many looks. */
const worthLooks = 4096;
const usesBins = 9;
const gapBins = 15;
const sizeBins = 9;
const kindBins = 6;
const classes: number = usesBins * gapBins * sizeBins * kindBins * evidenceBins;
/** What the start hazard is per second of age: 1/worth in its terms is the age at which LRU would give the same rank. */
const startHazard = 0.2;
const ageMax = 0x3fff_ffff;

export class HazardEntries implements EntryRanking {
  readonly #model = new Model();
  readonly #shift: number;
  readonly #bins = new Uint8Array(featureCount);
  /** Age by class and bucket, and the look at which it was worked out; 0: not yet. */
  readonly #ages = new Float64Array(classes * ageBuckets);
  readonly #agesAt = new Int32Array(classes * ageBuckets);
  #looks = 0;
  /** Tick of the first look; below 0: there was none. */
  #start = -1;
  /** Of each entry at the last look: whose life, tick of the last use, uses, the first bucket that is not told yet, gap before the last use. */
  #life = new Int32Array(firstEntries);
  #lastAccess = new Int32Array(firstEntries);
  #uses = new Int32Array(firstEntries);
  #bucket = new Uint8Array(firstEntries);
  #gap = new Int32Array(firstEntries);

  constructor(ticksShift: number) {
    this.#shift = ticksShift;
  }

  age(facts: EntryFacts): number {
    return this.#ageOf(facts, this.#look(facts));
  }

  /** Takes in what has happened to the entry since the last look. @returns the bucket of its age */
  #look(facts: EntryFacts): number {
    const { ordinal } = facts;
    while (ordinal >= this.#life.length) this.#grow();
    this.#looks = (this.#looks + 1) & 0x7fff_ffff;
    const bucket = bucketOf(facts.ticks >> this.#shift);
    if (this.#life[ordinal] !== facts.life) this.#meet(facts, bucket);
    else if (this.#lastAccess[ordinal] !== facts.lastAccess) this.#noteReturn(facts);
    this.#noteSurvival(facts, bucket);
    return bucket;
  }

  /** It has lived through a part of its bucket: without that, only returns would be seen where most are evicted. */
  evicted(facts: EntryFacts): void {
    const bucket = this.#look(facts);
    const since = (facts.ticks >> this.#shift) - (ageEdges[bucket] as number);
    const lived = Math.min(1, since / (ageWidths[bucket] as number));
    if (lived > 0) this.#learn(facts, bucket, 0, lived);
  }

  /** Returns are not learned before somebody can have lived through their bucket (see Learner). */
  #learn({ lastAccess, ticks }: EntryFacts, bucket: number, outcome: 0 | 1, weight: number): void {
    const now = lastAccess + ticks;
    if (this.#start < 0) this.#start = now;
    const sinceStart = (now - this.#start) >> this.#shift;
    if (outcome === 1 && sinceStart < (ageEdges[bucket + 1] as number)) return;
    this.#model.learn(this.#bins, 0, bucket, outcome, weight);
  }

  /** An entry that was not looked at in this life: how long it had lived before says nothing. */
  #meet({ ordinal, life, lastAccess, uses }: EntryFacts, bucket: number): void {
    this.#life[ordinal] = life;
    this.#lastAccess[ordinal] = lastAccess;
    this.#uses[ordinal] = uses;
    this.#bucket[ordinal] = bucket;
    this.#gap[ordinal] = -1;
  }

  #noteReturn(facts: EntryFacts): void {
    const { ordinal, lastAccess, uses } = facts;
    const ticks = (lastAccess - (this.#lastAccess[ordinal] as number)) & 0x7fff_ffff;
    const times = Math.max(1, uses - (this.#uses[ordinal] as number));
    const gap = Math.floor((ticks >> this.#shift) / times);
    const returned = bucketOf(gap);
    this.#describe(facts, this.#uses[ordinal] as number, this.#gap[ordinal] as number);
    for (let bucket = this.#bucket[ordinal] as number; bucket < returned; bucket++) {
      this.#learn(facts, bucket, 0, 1);
    }
    this.#learn(facts, returned, 1, 1);
    this.#lastAccess[ordinal] = lastAccess;
    this.#uses[ordinal] = uses;
    this.#gap[ordinal] = gap;
    this.#bucket[ordinal] = 0;
  }

  #noteSurvival(facts: EntryFacts, bucket: number): void {
    const { ordinal } = facts;
    this.#describe(facts, facts.uses, this.#gap[ordinal] as number);
    for (let lived = this.#bucket[ordinal] as number; lived < bucket; lived++) {
      this.#learn(facts, lived, 0, 1);
    }
    this.#bucket[ordinal] = bucket;
  }

  #describe({ evidence, sizeBytes, kind }: EntryFacts, uses: number, gap: number): void {
    const bins = this.#bins;
    bins[0] = evidence;
    bins[1] = gapBin(gap) * evidenceBins + evidence;
    bins[2] = lengthBin(sizeBytes >> 10);
    bins[8] = countBin(uses + 1);
    bins[9] = ownGapBin(gap);
    bins[10] = kind;
    bins[evidenceFeature] = evidence;
  }

  /** The age at which LRU would rank an entry like this one, in ticks. After `#describe`. */
  #ageOf({ evidence }: EntryFacts, bucket: number): number {
    const bins = this.#bins;
    const uses = bins[8] as number;
    const gap = bins[9] as number;
    const size = bins[2] as number;
    const kind = bins[10] as number;
    const row = ((uses * gapBins + gap) * sizeBins + size) * kindBins + kind;
    const cell = (row * evidenceBins + evidence) * ageBuckets + bucket;
    const since = this.#looks - (this.#agesAt[cell] as number);
    if (this.#agesAt[cell] === 0 || since < 0 || since > worthLooks) {
      this.#model.hazards(bins, 0, bucket);
      const seconds = startHazard / this.#model.worth(bucket);
      this.#ages[cell] = Math.min(ageMax, Math.floor(seconds * 2 ** this.#shift));
      this.#agesAt[cell] = Math.max(1, this.#looks);
    }
    return this.#ages[cell] as number;
  }

  #grow(): void {
    const count = 2 * this.#life.length;
    this.#life = grown(this.#life, count);
    this.#lastAccess = grown(this.#lastAccess, count);
    this.#uses = grown(this.#uses, count);
    this.#bucket = grown(this.#bucket, count);
    this.#gap = grown(this.#gap, count);
  }
}
