/**
 * The chance that a block is used again in the age bucket it is in, given its features: logistic regression on bins with a part that depends on the
 * phase of its age, learned online from every return (1) and every bucket survived without one (0).
 *
 * ```
 * logit h(j | x) = b[j] + Σ over features k of (w[x_k] + v[x_k, phase(j)])
 * ```
 * At first w = v = 0 and h ≈ 0.2 / (age + 2), which ranks like LRU. Every weight has its own step: the error, over how much it has seen.
 *
 * Source: discrete-time survival regression; hazards for ranking as in LHD (Beckmann et al., NSDI 2018).
 */

import { ageBuckets, ageEdges, ageWidths, phaseOf, phases } from './ages.ts';
import { binOffsets, binTotal, featureCount } from './features.ts';

const startHazard = 0.2;
const startAgeS = 2;
/** A weight's evidence counts up to here, so that it goes on learning. */
const evidenceMax = 2000;
const bucketPrior = 2;
const binPrior = 8;
const phasePrior = 24;
const featureShare: number = 1 / Math.sqrt(featureCount);

export class Model {
  /** Hazard of each bucket, as `hazards` left it. */
  readonly hazard: Float64Array = new Float64Array(ageBuckets);
  readonly #buckets = new Float64Array(ageBuckets);
  readonly #bucketEvidence = new Float64Array(ageBuckets);
  readonly #bins = new Float64Array(binTotal);
  readonly #binEvidence = new Float64Array(binTotal);
  readonly #phased = new Float64Array(binTotal * phases);
  readonly #phasedEvidence = new Float64Array(binTotal * phases);
  readonly #byPhase = new Float64Array(phases);

  constructor() {
    this.reset();
  }

  /** Forgets what was learned. */
  reset(): void {
    const all = [
      this.#bucketEvidence,
      this.#bins,
      this.#binEvidence,
      this.#phased,
      this.#phasedEvidence,
    ];
    for (const weights of all) weights.fill(0);
    for (let bucket = 0; bucket < ageBuckets; bucket++) {
      const from = (ageEdges[bucket] as number) + startAgeS;
      const to = (ageEdges[bucket + 1] as number) + startAgeS;
      this.#buckets[bucket] = Math.log(startHazard * Math.log(to / from));
    }
  }

  /** Fills `hazard[first … last]` for the features at `bins[at …]`. */
  hazards(bins: Uint8Array, at: number, first = 0, last: number = ageBuckets - 1): void {
    const byPhase = this.#byPhase;
    const firstPhase = phaseOf[first] as number;
    const lastPhase = phaseOf[last] as number;
    let base = 0;
    byPhase.fill(0);
    for (let feature = 0; feature < featureCount; feature++) {
      const bin = (binOffsets[feature] as number) + (bins[at + feature] as number);
      base += this.#bins[bin] as number;
      const row = bin * phases;
      for (let phase = firstPhase; phase <= lastPhase; phase++) {
        byPhase[phase] = (byPhase[phase] as number) + (this.#phased[row + phase] as number);
      }
    }
    for (let bucket = first; bucket <= last; bucket++) {
      const phased = byPhase[phaseOf[bucket] as number] as number;
      const logit = (this.#buckets[bucket] as number) + base + phased;
      this.hazard[bucket] = 1 / (1 + Math.exp(-logit));
    }
  }

  /** Takes in that a block with these features came back in `bucket` (`outcome` 1) or lived through it without (0). */
  learn(bins: Uint8Array, at: number, bucket: number, outcome: 0 | 1, weight: number): void {
    const phase = phaseOf[bucket] as number;
    let logit = this.#buckets[bucket] as number;
    for (let feature = 0; feature < featureCount; feature++) {
      const bin = (binOffsets[feature] as number) + (bins[at + feature] as number);
      logit += (this.#bins[bin] as number) + (this.#phased[bin * phases + phase] as number);
    }
    const chance = 1 / (1 + Math.exp(-logit));
    const error = 2 * weight * (outcome - chance);
    const evidence = weight * chance * (1 - chance);
    step(this.#buckets, this.#bucketEvidence, bucket, error, evidence, bucketPrior);
    for (let feature = 0; feature < featureCount; feature++) {
      const bin = (binOffsets[feature] as number) + (bins[at + feature] as number);
      const share = featureShare * error;
      step(this.#bins, this.#binEvidence, bin, share, evidence, binPrior);
      const phased = bin * phases + phase;
      step(this.#phased, this.#phasedEvidence, phased, share, evidence, phasePrior);
    }
  }

  /** Returns to be expected up to an age: the sum of −ln(1 − h), of the `hazard` there is. */
  cumulative(ageS: number): number {
    let sum = 0;
    for (let bucket = 0; bucket < ageBuckets; bucket++) {
      const share = (ageS - (ageEdges[bucket] as number)) / (ageWidths[bucket] as number);
      if (share <= 0) break;
      sum -= Math.log(1 - (this.hazard[bucket] as number)) * Math.min(share, 1);
    }
    return sum;
  }

  /**
   * Worth of keeping a block that begins `bucket` now, by the `hazard` there is: the highest rate of hits per second of keeping it, over all times to
   * stop at. A return within a bucket comes in its middle. (Gittins index.)
   */
  worth(bucket: number): number {
    let alive = 1;
    let hits = 0;
    let seconds = 0;
    let best = 0;
    for (let j = bucket; j < ageBuckets; j++) {
      const returns = alive * (this.hazard[j] as number);
      const width = ageWidths[j] as number;
      alive -= returns;
      hits += returns;
      seconds += alive * width + returns * (width / 2);
      best = Math.max(best, hits / seconds);
    }
    return best;
  }
}

function step(
  weights: Float64Array,
  seen: Float64Array,
  at: number,
  error: number,
  evidence: number,
  prior: number,
): void {
  const total = Math.min(evidenceMax, (seen[at] as number) + evidence);
  seen[at] = total;
  weights[at] = (weights[at] as number) + error / (prior + total);
}
