/** An owner who changes a region dies at any of its memory accesses, or is interrupted there by another who changes it too. */

import assert from 'node:assert/strict';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import type { Region } from '../../src/memory/region.ts';
import { readSuperblock } from '../../src/memory/superblock.ts';
import { accessCount, armCrash, Crash, disarm, interrupt } from '../support/instrumented-words.ts';
import { rounds } from '../support/seed.ts';
import { expectWhole, nothing, steps, subjects } from './support/many-owners.ts';
import { mortalJoin } from './support/mortal.ts';
import { segmentOf } from './support/regions.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

afterEach(disarm);

/** Runs one step of an owner; an owner who finds another at work gives up. @returns whether it was done */
function attempt(step: () => void): boolean {
  try {
    step();
    return true;
  } catch (error) {
    if (hasCode(error, 'pool_busy')) return false;
    throw error;
  }
}

const pairs = Object.keys(steps).flatMap((one) =>
  Object.keys(steps).map((other) => [one, other] as const),
);

/** Accesses from one that is tried to the next; files take their time. */
const strides: Record<string, number> = { shared: rounds(3, 1), mapped: rounds(17, 3) };

describe.each(subjects)('an owner of a $name region', ({ name, create }) => {
  const stride = strides[name] ?? 1;

  /** Back to two segments of at most four, and a free slot 1. */
  function reset(region: Region): void {
    while (region.segments.length < 2) assert(region.addSegment(nothing));
    while (region.segments.length > 2) assert(region.dropSegment());
    region.reclaim?.(1, nothing);
    expectWhole(region);
  }

  it.each(pairs)('who dies at any access as it %s leaves a region that another %s', (one, next) => {
    const region = create();
    for (let k = 1, crashed = true; crashed; k += stride) {
      reset(region);
      const { region: victim, die } = mortalJoin(region);
      const before = region.superblock.sequence;
      armCrash(k);
      try {
        steps[one]?.(victim);
        crashed = false;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      } finally {
        disarm();
      }
      die();
      const left = readSuperblock(segmentOf(region, 0).words);
      expect(left.sequence - before).toBeOneOf([0, 1]);
      const { region: third } = mortalJoin(region);
      expect(third.ownerSlot).toBe(2);
      steps[next]?.(region);
      region.commit({ trustedEpoch: 0 });
      expectWhole(region, third);
      // What the dead have committed stays.
      expect(region.superblock.rootTags).toBe(left.rootTags);
      if (next === 'commits') expect(region.superblock.segmentCount).toBe(left.segmentCount);
      third.close();
    }
    region.close();
  });

  it.each(pairs)('who is interrupted at any access as it %s by one who %s', (one, other) => {
    const region = create();
    const { region: rival } = mortalJoin(region);
    const seen = new Set<boolean>();
    for (let k = 1, reached = true; reached; k += stride) {
      reset(region);
      rival.refresh();
      const before = region.superblock;
      let done = false;
      interrupt(k, () => {
        done = attempt(() => steps[other]?.(rival));
        seen.add(done);
      });
      steps[one]?.(region);
      reached = accessCount() >= k;
      disarm();
      expectWhole(region, rival);
      const after = region.superblock;
      expect(after.epoch - before.epoch).toBe(one === 'commits' ? 1 : 0);
      expect(after.rootTags - before.rootTags).toBe(other === 'commits' && done ? 64 : 0);
      const grown = Number(one.startsWith('adds')) - Number(one.startsWith('drops'));
      if (!done) expect(after.segmentCount - before.segmentCount).toBe(grown);
    }
    expect(seen).toEqual(new Set([true, false]));
    rival.close();
    region.close();
  });
});
