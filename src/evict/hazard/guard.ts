/**
 * The floor: what LRU would have hit is known without playing it, because the blocks it would keep are those of the groups used last, as many as there
 * are places. Where learning has hit clearly less of late, the oldest go first for a while; each time that learning fails again soon, for twice as long.
 * Where it has not hit more by more than chance, it is followed in large differences only.
 *
 * Source of the idea: set dueling (Qureshi et al., ISCA 2007), here against a shadow that costs a counter.
 */

import type { Groups } from './groups.ts';
import { none } from './known.ts';

/** Old differences count half after so many references for each place, and not fewer than these. */
const halfLifeShare = 1;
const halfLifeMin = 2048;
/** Hits lost, as a share of references that count, from which on LRU takes over; gained, from which on learning is proven. */
const noticeable = 0.005;
/** … and that in so many standard deviations of the differences. */
const significant = 3;
/** LRU stays for so many half-lives at first, and at most. */
const firstStay = 2;
const longestStay = 64;

export class Guard {
  /** True while the oldest go first. */
  isOn = false;
  /** True while learning has hit more of late, by more than a standard deviation and a share of all references. */
  isProven = false;
  readonly #groups: Groups;
  readonly #places: number;
  readonly #halfLife: number;
  /** Blocks in groups that LRU would keep whole. */
  #recentBlocks = 0;
  /** The oldest of these groups, or none. */
  #oldest = none;
  /** Decayed: references, and hits of learning above those of LRU. */
  #references = 0;
  #gain = 0;
  /** Decayed squares of single differences. */
  #squares = 0;
  /** References until LRU gives over again. */
  #staysFor = 0;
  #stay = firstStay;

  constructor(groups: Groups, places: number) {
    this.#groups = groups;
    this.#places = places;
    this.#halfLife = Math.max(halfLifeMin, halfLifeShare * places);
  }

  /** Whether LRU would have the blocks of a group. */
  wouldKeep(group: number): boolean {
    return this.#groups.isRecent[group] === 1;
  }

  /** A group joins the queue as the newest. */
  joined(group: number): void {
    const groups = this.#groups;
    groups.isRecent[group] = 1;
    if (this.#oldest === none) this.#oldest = group;
    this.#recentBlocks += groups.live[group] as number;
    while (this.#recentBlocks > this.#places && this.#oldest !== group) this.#shift();
  }

  /** A group has lost blocks to a newer one. */
  lost(group: number, blocks: number): void {
    if (this.#groups.isRecent[group] === 1) this.#recentBlocks -= blocks;
  }

  /** A group leaves the queue. */
  left(group: number): void {
    if (this.#oldest === group) this.#oldest = this.#groups.after(group);
    this.#groups.isRecent[group] = 0;
  }

  /** Takes in a request: its blocks, and how many of them were hits here and would have been with LRU. */
  judge(references: number, hits: number, lruHits: number): void {
    const decay = 2 ** (-references / this.#halfLife);
    this.#references = this.#references * decay + references;
    const gain = hits - lruHits;
    this.#gain = this.#gain * decay + gain;
    this.#squares = this.#squares * decay + gain * gain;
    const seen = Math.max(this.#references, this.#halfLife);
    const deviation = Math.sqrt(this.#squares);
    this.isProven = this.#gain > Math.max(noticeable * seen, deviation);
    if (this.isOn) {
      this.#staysFor -= references;
      if (this.#staysFor > 0) return;
      this.isOn = false;
      this.#gain = 0;
      this.#squares = 0;
      return;
    }
    if (this.#gain >= 0) this.#stay = Math.max(firstStay, this.#stay * decay);
    if (this.#gain > -Math.max(noticeable * seen, significant * deviation)) return;
    this.isOn = true;
    this.#staysFor = this.#stay * this.#halfLife;
    this.#stay = Math.min(longestStay, 2 * this.#stay);
  }

  reset(): void {
    this.isOn = false;
    this.isProven = false;
    this.#recentBlocks = 0;
    this.#oldest = none;
    this.#references = 0;
    this.#gain = 0;
    this.#squares = 0;
    this.#staysFor = 0;
    this.#stay = firstStay;
  }

  /** The oldest group that LRU would keep is one too many. */
  #shift(): void {
    const group = this.#oldest;
    this.#groups.isRecent[group] = 0;
    this.#recentBlocks -= this.#groups.live[group] as number;
    this.#oldest = this.#groups.after(group);
  }
}
