/** What is learned from groups of blocks, and what they are worth by it. */

import type { Random } from '../../base/random.ts';
import { ageBuckets, ageEdges, ageWidths, bucketOf } from './ages.ts';
import { featureCount } from './features.ts';
import { Groups } from './groups.ts';
import { Model } from './model.ts';
import type { RequestList } from './request-list.ts';

/** Groups of a request that are learned from. */
const learnersMax = 3;

export class Learner {
  readonly groups: Groups = new Groups();
  readonly model: Model = new Model();
  nowS = 0;
  /** When the first request came; below 0: none has. */
  #startS = -1;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Takes in what has survived until then. Time does not go back. */
  setTime(nowMs: number): void {
    this.nowS = Math.max(this.nowS, nowMs / 1000);
    if (this.#startS < 0) this.#startS = this.nowS;
    this.groups.advance(this.nowS, this.#survived);
  }

  reset(): void {
    this.#startS = -1;
    this.groups.reset();
    this.model.reset();
  }

  /** A request uses blocks of the group again: one return, however many they are. */
  returned(group: number, seenBy: number): void {
    const { groups } = this;
    if (groups.running[group] === 1 || groups.seenBy[group] === seenBy) return;
    groups.seenBy[group] = seenBy;
    if (groups.weight[group] === 0) return;
    const bucket = bucketOf(this.nowS - (groups.usedAtS[group] as number));
    // Survivals are told at the end of a bucket only: before there can be one, returns alone would make it look much better than it is.
    const isOpen = this.nowS - this.#startS < (ageEdges[bucket + 1] as number);
    if (!isOpen) this.#learn(group, bucket, 1);
  }

  /** Chooses the groups of a request that are learned from, one in each third, and how much they count. */
  choose(list: RequestList): void {
    const { groupCount } = list;
    const learners = Math.min(groupCount, learnersMax);
    const weight = groupCount / Math.max(learners, 1) / Math.sqrt(Math.max(groupCount, 1));
    for (let i = 0; i < learners; i++) {
      const from = Math.floor((i * groupCount) / learners);
      const to = Math.floor(((i + 1) * groupCount) / learners);
      const group = list.groups[from + this.#random.below(to - from)] as number;
      this.groups.weight[group] = weight;
    }
  }

  #learn(group: number, bucket: number, outcome: 0 | 1): void {
    const { bins, weight } = this.groups;
    this.model.learn(bins, group * featureCount, bucket, outcome, weight[group] as number);
  }

  /** What a block of the group is worth now: between the worths at both ends of the age bucket that it is in. */
  worth(group: number): number {
    const groups = this.groups;
    const ageS = this.nowS - (groups.usedAtS[group] as number);
    const bucket = bucketOf(ageS);
    if (groups.worthBucket[group] !== bucket) {
      this.model.hazards(groups.bins, group * featureCount, bucket);
      const before = this.model.worth(bucket);
      groups.worthBucket[group] = bucket;
      groups.worthBefore[group] = before;
      groups.worthAfter[group] = bucket + 1 < ageBuckets ? this.model.worth(bucket + 1) : before;
    }
    const share = (ageS - (ageEdges[bucket] as number)) / (ageWidths[bucket] as number);
    const into = Math.min(share, 1);
    const before = groups.worthBefore[group] as number;
    return before + ((groups.worthAfter[group] as number) - before) * into;
  }

  /** What a block of the group will be worth, with what is known before its request has ended. */
  worthOnArrival(group: number): number {
    const groups = this.groups;
    if ((groups.arrivalWorth[group] as number) < 0) {
      this.model.hazards(groups.bins, group * featureCount);
      groups.arrivalWorth[group] = this.model.worth(0);
    }
    return groups.arrivalWorth[group] as number;
  }

  readonly #survived = (group: number, bucket: number): void => {
    this.#learn(group, bucket, 0);
  };
}
