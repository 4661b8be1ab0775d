/** What learning is made of, part by part, against plain models. */

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { noPlace } from '../../src/evict/api.ts';
import { Candidates } from '../../src/evict/candidates.ts';
import { ageBuckets, ageEdges, bucketOf, phaseOf, phases } from '../../src/evict/hazard/ages.ts';
import { Choice } from '../../src/evict/hazard/choice.ts';
import { binCounts, binTotal, featureCount } from '../../src/evict/hazard/features.ts';
import { Groups } from '../../src/evict/hazard/groups.ts';
import { Guard } from '../../src/evict/hazard/guard.ts';
import { ghostLimit, KnownBlocks, none } from '../../src/evict/hazard/known.ts';
import { Learner } from '../../src/evict/hazard/learner.ts';
import { Model } from '../../src/evict/hazard/model.ts';
import { rounds, seed } from '../support/seed.ts';
import { fc } from '../support/properties.ts';

describe('ages', () => {
  it('fall into the bucket that begins at or before them', () => {
    for (let bucket = 0; bucket < ageBuckets; bucket++) {
      expect(bucketOf(ageEdges[bucket] as number)).toBe(bucket);
      expect(bucketOf((ageEdges[bucket + 1] as number) - 0.001)).toBe(bucket);
    }
    expect(bucketOf(1e9)).toBe(ageBuckets - 1);
    expect([phaseOf[0], phaseOf[ageBuckets - 1]]).toEqual([0, phases - 1]);
    expect(binCounts).toHaveLength(featureCount);
    expect(binTotal).toBe(binCounts.reduce((sum, count) => sum + count, 0));
  });
});

describe('the table of known blocks', () => {
  it('finds what a Map finds, whatever is forgotten in between', () => {
    const action = fc.tuple(
      fc.boolean(),
      fc.integer({ min: -400, max: 400 }),
      fc.integer({ min: 0, max: 1 }),
    );
    const property = fc.property(fc.array(action, { maxLength: 2500, size: 'max' }), (actions) => {
      const known = new KnownBlocks(4);
      const naive = new Map<string, number>();
      for (const [adds, low, high] of actions) {
        const name = `${low} ${high}`;
        const block = known.find(low, high);
        expect(block).toBe(naive.get(name) ?? none);
        if (adds && block === none) naive.set(name, known.add(low, high, 3));
        if (!adds && block !== none) {
          known.forget(block);
          naive.delete(name);
        }
        expect(known.ghosts).toBe(naive.size);
      }
    });
    fc.assert(property, { seed: seed(), numRuns: rounds(40, 400) });
  });

  it('holds many, and names the oldest ghost once there are too many', () => {
    const known = new KnownBlocks(1);
    const limit = ghostLimit(1);
    for (let key = 0; key < limit; key++) known.add(key, ~key, 0);
    expect(known.surplus()).toBe(none);
    const last = known.add(limit, ~limit, 0);
    expect(known.surplus()).toBe(known.find(0, ~0));
    known.renew(known.find(0, ~0));
    expect(known.surplus()).toBe(known.find(1, ~1));
    known.settle(last, 0); // in a place, it is no ghost
    expect(known.surplus()).toBe(none);
    known.remember(last);
    expect(known.place[last]).toBe(noPlace);
    expect(known.surplus()).toBe(known.find(1, ~1));
  });
});

describe('groups', () => {
  it('are told to have lived through each bucket once, as time passes', () => {
    const property = fc.property(
      fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 20 }),
      (gapsS, looksS) => {
        const groups = new Groups();
        const usedAtS: number[] = [];
        let nowS = 0;
        for (const gapS of gapsS) {
          nowS += gapS;
          const group = groups.create(0, nowS);
          groups.weight[group] = 1;
          groups.live[group] = 1;
          groups.enqueue(group, nowS);
          usedAtS[group] = nowS;
        }
        const told = new Set<string>();
        for (const lookS of looksS) {
          nowS += lookS;
          groups.advance(nowS, (group, bucket) => {
            expect(told.has(`${group} ${bucket}`)).toBe(false);
            told.add(`${group} ${bucket}`);
          });
          for (const [group, atS] of usedAtS.entries()) {
            for (let bucket = 0; bucket < ageBuckets; bucket++) {
              const hasLived = nowS - atS >= (ageEdges[bucket + 1] as number);
              expect(told.has(`${group} ${bucket}`)).toBe(hasLived);
            }
          }
        }
      },
    );
    fc.assert(property, { seed: seed(), numRuns: rounds(40, 400) });
  });
});

describe('the learner', () => {
  it('does not take the returns of a bucket that nobody can have lived through for the whole of it', () => {
    const learner = new Learner(new Random(3));
    const { groups } = learner;
    const waiting: number[] = [];
    // Every tenth of a second a group, of which every other one returns after 10 s: within the bucket from 9 to 13 s.
    for (let tenth = 0; tenth < 129; tenth++) {
      learner.setTime(100 * tenth);
      const returning = waiting[tenth - 100];
      if (returning !== undefined && tenth % 2 === 0) learner.returned(returning, tenth + 1);
      const group = groups.create(0, learner.nowS);
      groups.live[group] = 1;
      groups.weight[group] = 1;
      groups.enqueue(group, learner.nowS);
      waiting.push(group);
    }
    learner.model.hazards(new Uint8Array(featureCount), 0);
    expect(learner.model.hazard[bucketOf(10)]).toBeLessThan(0.3);
  });
});

describe('the guard', () => {
  it('knows what LRU would keep: the groups used last, as many blocks as there are places', () => {
    const action = fc.record({
      blocks: fc.integer({ min: 1, max: 6 }),
      loses: fc.nat(),
      hasGone: fc.boolean(),
    });
    const property = fc.property(
      fc.array(action, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 6, max: 20 }),
      (actions, places) => {
        const groups = new Groups();
        const guard = new Guard(groups, places);
        let queue: number[] = [];
        let kept: number[] = [];
        const liveIn = (list: readonly number[]): number =>
          list.reduce((sum, group) => sum + (groups.live[group] as number), 0);
        for (const [at, { blocks, loses, hasGone }] of actions.entries()) {
          const group = groups.create(0, at);
          groups.live[group] = blocks;
          groups.enqueue(group, at);
          guard.joined(group);
          queue.push(group);
          kept.push(group);
          while (liveIn(kept) > places && kept.length > 1) kept.shift(); // for good
          const old = queue[loses % queue.length] as number;
          const lost = hasGone ? (groups.live[old] as number) : 1;
          guard.lost(old, lost);
          groups.live[old] = (groups.live[old] as number) - lost;
          if (groups.live[old] === 0) {
            guard.left(old);
            groups.release(old);
            queue = queue.filter((other) => other !== old);
            kept = kept.filter((other) => other !== old);
          }
          for (const known of queue) expect(guard.wouldKeep(known)).toBe(kept.includes(known));
        }
      },
    );
    fc.assert(property, { seed: seed(), numRuns: rounds(200, 2000) });
  });

  it('takes over after clear losses, gives over again, and stays longer each time', () => {
    const guard = new Guard(new Groups(), 100);
    const until = (isOn: boolean, hits: number): number => {
      let requests = 0;
      for (; guard.isOn !== isOn && requests < 1e6; requests++) guard.judge(10, hits, 5);
      return requests;
    };
    expect(until(true, 5)).toBe(1e6); // no loss
    expect(until(true, 0)).toBeLessThan(1000);
    const first = until(false, 5);
    expect(until(true, 0)).toBeLessThan(1000);
    expect(until(false, 5)).toBeGreaterThan(1.5 * first);
    guard.reset();
    expect(guard.isOn).toBe(false);
  });

  it('is not moved by a loss that may be chance', () => {
    const guard = new Guard(new Groups(), 100);
    for (let request = 0; request < 2000; request++) {
      guard.judge(200, request % 2 === 0 ? 0 : 199, request % 2 === 0 ? 200 : 0);
    }
    expect(guard.isOn).toBe(false);
  });
});

describe('the choice', () => {
  /** Draws from blocks of one group each, the oldest first, by what each is worth. @returns the block that goes next */
  function chosen(worths: readonly number[]): number {
    const random = new Random(seed());
    const learner = new Learner(random);
    const { groups } = learner;
    const known = new KnownBlocks(worths.length);
    const candidates = new Candidates(worths.length, random);
    const blockAt = new Int32Array(worths.length);
    const guard = new Guard(groups, worths.length);
    const choice = new Choice(candidates, known, learner, guard, blockAt);
    for (const [place, worth] of worths.entries()) {
      const group = groups.create(0, 0);
      const block = known.add(place, 0, 0);
      known.settle(block, place);
      known.group[block] = group;
      blockAt[place] = block;
      groups.enqueue(group, 10 * place);
      candidates.fill(place);
      candidates.release(place);
      learner.nowS = 10 * worths.length;
      groups.worthBucket[group] = bucketOf(learner.nowS - 10 * place);
      groups.worthBefore[group] = worth;
      groups.worthAfter[group] = worth;
    }
    choice.draw();
    return choice.next;
  }

  it('is the oldest of those that are worth about the same where worth does not rise with age', () => {
    expect(chosen([1.5, 1.4, 1, 2, 2.2])).toBe(0);
    expect(chosen([1, 1, 1, 1, 1])).toBe(0);
  });

  it('is what is worth least where worth rises with age, as in a loop, and where it is worth far less', () => {
    expect(chosen([1.4, 1.3, 1.2, 1.1, 1])).toBe(4);
    expect(chosen([1.7, 1.7, 1, 1.8, 1.9])).toBe(2);
  });
});

describe('the model', () => {
  const bins = new Uint8Array(featureCount);

  it('begins like LRU: what was used longer ago is worth less', () => {
    const model = new Model();
    model.hazards(bins, 0);
    const worths = Array.from({ length: ageBuckets }, (_, bucket) => model.worth(bucket));
    for (let bucket = 1; bucket < ageBuckets - 1; bucket++) {
      expect(worths[bucket]).toBeLessThan(worths[bucket - 1] as number);
    }
  });

  it('learns what comes back at once and what never does, from features alone', () => {
    const model = new Model();
    const quick = Uint8Array.from(bins, (_, feature) => (feature === 12 ? 1 : 0));
    for (let round = 0; round < 300; round++) {
      model.learn(quick, 0, 3, 1, 1);
      for (let bucket = 0; bucket < 12; bucket++) model.learn(bins, 0, bucket, 0, 1);
    }
    model.hazards(quick, 0);
    const returning = model.hazard[3] as number;
    model.hazards(bins, 0);
    expect(returning).toBeGreaterThan(0.6);
    expect(model.hazard[3]).toBeLessThan(0.1);
    model.reset();
    model.hazards(bins, 0);
    expect(model.hazard[0]).toBeCloseTo(0.2 * Math.log(3 / 2), 1);
  });

  it('works out a part of the hazards as it works out all', () => {
    const model = new Model();
    for (let round = 0; round < 50; round++) model.learn(bins, 0, round % ageBuckets, 1, 1);
    model.hazards(bins, 0);
    const all = Float64Array.from(model.hazard);
    for (let first = 0; first < ageBuckets; first += 5) {
      model.hazard.fill(0.5);
      model.hazards(bins, 0, first, ageBuckets - 1);
      expect(model.hazard.subarray(first)).toEqual(all.subarray(first));
    }
    expect(model.cumulative(0)).toBe(0);
    expect(model.cumulative(100)).toBeGreaterThan(model.cumulative(10));
  });
});
