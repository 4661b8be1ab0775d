/** Which of some candidates drawn at random goes next. */

import { noPlace } from '../api.ts';
import type { Candidates } from '../candidates.ts';
import type { Guard } from './guard.ts';
import { type KnownBlocks, none } from './known.ts';
import type { Learner } from './learner.ts';

/** Candidates that are looked at before one goes. */
const draws = 64;
/**
 * What is learned of blocks that are alike differs by a quarter for long. As long as learning has not proven itself, worths that differ less than
 * this are taken for the same; but not where worth rises with age, as in a loop that does not fit: there the oldest is what comes back first.
 */
const tolerance = 0.6;
/** Age and worth of that many draws are correlated by more than this, by chance alone, one time in forty: two standard errors. */
const significant: number = 2 / Math.sqrt(draws);

export class Choice {
  /** What goes next, if it still may. */
  next: number = noPlace;
  readonly #candidates: Candidates;
  readonly #known: KnownBlocks;
  readonly #learner: Learner;
  readonly #guard: Guard;
  /** Block in each place, or none. */
  readonly #blockAt: Int32Array;
  /** What was drawn last, and the worth of each. */
  readonly #drawn = new Int32Array(draws);
  readonly #worths = new Float64Array(draws);

  constructor(
    candidates: Candidates,
    known: KnownBlocks,
    learner: Learner,
    guard: Guard,
    blockAt: Int32Array,
  ) {
    this.#candidates = candidates;
    this.#known = known;
    this.#learner = learner;
    this.#guard = guard;
    this.#blockAt = blockAt;
  }

  /** Looks at candidates; the least worthy is next. @returns what it is worth */
  draw(): number {
    this.next = noPlace;
    let lowest = Infinity;
    let lowestDepth = 0;
    if (this.#candidates.count === 0) return lowest;
    for (let i = 0; i < draws; i++) {
      const place = this.#candidates.draw();
      const block = this.#blockAt[place] as number;
      const worth = block === none ? -1 : this.#rank(this.#known.group[block] as number);
      this.#drawn[i] = place;
      this.#worths[i] = worth;
      if (worth > lowest) continue;
      const depth = block === none ? 0 : (this.#known.depth[block] as number);
      if (worth === lowest && depth <= lowestDepth) continue;
      lowest = worth;
      lowestDepth = depth;
      this.next = place;
    }
    if (lowest > 0 && !this.#guard.isOn && !this.#guard.isProven && !this.#risesWithAge()) {
      this.#preferOldest(lowest * (1 + tolerance));
    }
    return lowest;
  }

  /** Whether of what was drawn the older is worth more, by more than chance. */
  #risesWithAge(): boolean {
    let usedAtMean = 0;
    let worthMean = 0;
    for (let i = 0; i < draws; i++) {
      usedAtMean += this.#usedAtS(this.#drawn[i] as number) / draws;
      worthMean += (this.#worths[i] as number) / draws;
    }
    let ageVariance = 0;
    let worthVariance = 0;
    let covariance = 0;
    for (let i = 0; i < draws; i++) {
      const older = usedAtMean - this.#usedAtS(this.#drawn[i] as number);
      const worthier = (this.#worths[i] as number) - worthMean;
      ageVariance += older * older;
      worthVariance += worthier * worthier;
      covariance += older * worthier;
    }
    return covariance > significant * Math.sqrt(ageVariance * worthVariance);
  }

  /** Of what was drawn and is worth no more than `worthMax`, what was used longest ago is next; the end of its request first. */
  #preferOldest(worthMax: number): void {
    let oldestS = Infinity;
    let deepest = 0;
    for (let i = 0; i < draws; i++) {
      if ((this.#worths[i] as number) > worthMax) continue;
      const place = this.#drawn[i] as number;
      const block = this.#blockAt[place] as number;
      const usedAtS = this.#usedAtS(place);
      const depth = this.#known.depth[block] as number;
      if (usedAtS > oldestS || (usedAtS === oldestS && depth <= deepest)) continue;
      oldestS = usedAtS;
      deepest = depth;
      this.next = place;
    }
  }

  /** When the block in a place was used last. */
  #usedAtS(place: number): number {
    const group = this.#known.group[this.#blockAt[place] as number] as number;
    return this.#learner.groups.usedAtS[group] as number;
  }

  /** Higher: to be kept rather. */
  #rank(group: number): number {
    const { groups } = this.#learner;
    return this.#guard.isOn ? (groups.usedAtS[group] as number) : this.#learner.worth(group);
  }
}
