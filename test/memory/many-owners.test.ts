/** Every owner may change a region: one after the other, and whoever dies over it. */

import assert from 'node:assert/strict';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fixedPrefixBytes, regionLockWord, segmentLockWord } from '../../src/memory/layout.ts';
import {
  lock,
  lockClosed,
  lockTokenOf,
  lockWaitOf,
  tryLock,
  unlock,
} from '../../src/memory/lock.ts';
import type { Segment } from '../../src/memory/region.ts';
import { readSuperblock } from '../../src/memory/superblock.ts';
import { accessCount, armCrash, Crash, disarm, interrupt } from '../support/instrumented-words.ts';
import { expectWhole, nothing, steps, subjects } from './support/many-owners.ts';
import { mortalJoin } from './support/mortal.ts';
import { codeOf, mib, segmentOf } from './support/regions.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

afterEach(disarm);

const zeros = Buffer.alloc(4 * mib);

function isZeroBehindHeader({ bytes }: Segment): boolean {
  return zeros
    .subarray(0, bytes.length - fixedPrefixBytes)
    .equals(bytes.subarray(fixedPrefixBytes));
}

function lockOf(segment: Segment): number {
  return segment.words[segmentLockWord] as number;
}

describe.each(subjects)('the owners of a $name region', ({ create }) => {
  it('commit on top of each other', () => {
    const region = create();
    const { region: other } = mortalJoin(region);
    other.commit({ epoch: 1 });
    expect([region.superblock.epoch, other.superblock.epoch]).toEqual([0, 1]);
    region.commit({ rootTags: 640 });
    other.commit({ clean: false });
    expect(other.superblock).toMatchObject({
      epoch: 1,
      rootTags: 640,
      clean: false,
      sequence: 4,
    });
    expect(codeOf(() => other.commit({ sequence: 3 }))).toBe('invalid_argument');
    expectWhole(region, other);
  });

  it('grow it in turn, and take over what others have added', () => {
    const region = create();
    const { region: other } = mortalJoin(region);
    expect(other.addSegment((segment) => segment.words.fill(3, 65_536, 65_540))).toBe(true);
    let formatted = 0;
    const count = (): void => void (formatted += 1);
    expect([region.addSegment(count), region.segments.length, formatted]).toEqual([true, 2, 0]);
    expect(segmentOf(region, 1).words[65_536]).toBe(3);
    expect([region.addSegment(count), region.segments.length, formatted]).toEqual([true, 3, 1]);
    expect([other.addSegment(count), other.segments.length, formatted]).toEqual([true, 3, 1]);
    expect([other.addSegment(count), other.addSegment(count)]).toEqual([true, false]);
    expect([region.addSegment(count), region.segments.length, formatted]).toEqual([true, 4, 2]);
    expectWhole(region, other);
  });

  it('drop the last segment only if it is the last that they know', () => {
    const region = create();
    const { region: other } = mortalJoin(region);
    other.addSegment(nothing);
    region.refresh();
    other.addSegment(nothing);
    expect([region.dropSegment(), region.segments.length]).toEqual([false, 3]);
    expect([region.dropSegment(), region.segments.length]).toEqual([true, 2]);
    expect([other.dropSegment(), other.segments.length]).toEqual([false, 2]);
    expect([other.dropSegment(), other.segments.length]).toEqual([true, 1]);
    expect(codeOf(() => region.dropSegment())).toBe('none');
    expect(codeOf(() => region.dropSegment())).toBe('invalid_argument');
    expectWhole(region, other);
  });

  it('cannot drop a segment that another is at work in', () => {
    const region = create();
    const { region: other, die } = mortalJoin(region);
    region.addSegment(nothing);
    other.refresh();
    expect(tryLock(segmentOf(other, 1).words, segmentLockWord, lockTokenOf(other))).toBe(true);
    expect([region.dropSegment(), region.segments.length]).toEqual([false, 2]);
    expect(lockOf(segmentOf(region, 1))).toBe(lockTokenOf(other));
    die();
    const { words } = segmentOf(region, 1);
    const mine = lockTokenOf(region);
    expect(lock(words, segmentLockWord, mine, lockWaitOf(region))).toBe('inherited');
    expect([region.dropSegment(), region.segments.length]).toEqual([true, 1]);
  });

  it('can take nothing from a segment that was dropped, whatever becomes of its memory', () => {
    const region = create();
    const { region: other } = mortalJoin(region);
    region.addSegment((segment) => segment.words.fill(3, 65_536, 65_540));
    other.refresh();
    const stale = segmentOf(other, 1);
    const mine = lockTokenOf(other);
    const take = (): string => lock(stale.words, segmentLockWord, mine, lockWaitOf(other));
    region.dropSegment();
    expect([take(), lockOf(stale)]).toEqual(['busy', lockClosed]);
    region.addSegment((segment) => {
      expect([lockOf(segment), isZeroBehindHeader(segment)]).toEqual([lockClosed, true]);
      expect([take(), lockOf(stale)]).toEqual(['busy', lockClosed]);
    });
    stale.words[80_000] = 1;
    if (take() === 'taken') {
      // The same memory is a segment again: the owner sees at once that it is another.
      const { sequence } = other.superblock;
      other.refresh();
      expect(other.superblock.sequence).toBe(sequence + 2);
      stale.words[segmentLockWord] = 0;
    } else {
      expect(segmentOf(region, 1).words[80_000]).toBe(0);
      other.refresh();
    }
    expectWhole(region, other);
  });

  it('can take nothing from a new segment in old memory before it counts', () => {
    const region = create();
    const { region: other } = mortalJoin(region);
    for (let k = 1, reached = true; reached; k += 1) {
      region.addSegment(nothing);
      other.refresh();
      const stale = segmentOf(other, 1);
      region.dropSegment();
      const { sequence } = other.superblock;
      const mine = lockTokenOf(other);
      interrupt(k, () => {
        if (!tryLock(stale.words, segmentLockWord, mine)) return;
        other.refresh();
        assert.equal(other.superblock.sequence, sequence + 2);
        unlock(stale.words, segmentLockWord);
      });
      region.addSegment(nothing);
      reached = accessCount() >= k;
      disarm();
      region.dropSegment();
    }
    expectWhole(region, other);
  });

  it('find old memory zero, wherever one died who was wiping it', () => {
    const region = create();
    for (let k = 1, crashed = true; crashed; k += 1) {
      region.commit({ capacityBytes: 8 * mib });
      region.addSegment((segment) => {
        expect(isZeroBehindHeader(segment)).toBe(true);
        segment.words.fill(-1, fixedPrefixBytes >> 2);
      });
      region.dropSegment();
      region.commit({ capacityBytes: 5 * mib });
      const { region: victim, die } = mortalJoin(region);
      armCrash(k);
      try {
        expect(victim.addSegment(({ words }) => words.fill(-1, fixedPrefixBytes >> 2))).toBe(true);
        crashed = false;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      }
      disarm();
      die();
      region.commit({ trustedEpoch: 0 });
      if (region.segments.length > 1) region.dropSegment();
      region.reclaim?.(victim.ownerSlot, nothing);
    }
    region.close();
  });

  it('can take nothing from a segment that does not count any more, though its last owner died', () => {
    const region = create();
    const seen = new Set<string>();
    for (let k = 1, crashed = true; crashed; k += 1) {
      region.refresh();
      if (region.segments.length < 2) region.addSegment(nothing);
      const { region: other } = mortalJoin(region);
      const { region: victim, die } = mortalJoin(region);
      const stale = segmentOf(other, 1);
      armCrash(k);
      try {
        victim.dropSegment();
        crashed = false;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      }
      disarm();
      die();
      const counted = readSuperblock(segmentOf(region, 0).words).segmentCount === 2;
      const wait = lockWaitOf(other, 0);
      const outcome = lock(stale.words, segmentLockWord, lockTokenOf(other), wait);
      if (!counted) expect([k, outcome]).toEqual([k, 'busy']);
      seen.add(`${counted} ${outcome}`);
      if (outcome !== 'busy') unlock(stale.words, segmentLockWord);
      region.reclaim?.(victim.ownerSlot, nothing);
      region.commit({ trustedEpoch: 0 });
      other.close();
    }
    expect(seen).toContain('false busy');
    expect(seen).toContain('true inherited');
    expectWhole(region);
  });

  it('are told when another keeps the region to itself, and change nothing', () => {
    const region = create();
    const { region: other, die } = mortalJoin(region);
    region.addSegment(nothing);
    other.refresh();
    const before = region.superblock;
    const { words } = segmentOf(region, 0);
    expect(tryLock(words, regionLockWord, lockTokenOf(other))).toBe(true);
    for (const step of Object.values(steps)) expect(codeOf(() => step(region))).toBe('pool_busy');
    expect(readSuperblock(words)).toEqual(before);
    die();
    region.commit({ epoch: 9 });
    expect([words[regionLockWord], region.superblock.epoch]).toEqual([0, 9]);
  });
});
