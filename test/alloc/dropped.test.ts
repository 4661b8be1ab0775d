/** An owner drops segments in which nothing is any more, right before another takes the lock of one: that one goes on without them. */

import { afterEach, describe, expect, test, vi } from 'vitest';
import { createAllocator, openAllocator, type PoolAllocator } from '../../src/alloc/allocator.ts';
import { type Entry, SegmentRuns } from '../../src/alloc/segment-runs.ts';
import type { Ref } from '../../src/memory/region.ts';
import { subjects } from '../memory/support/many-owners.ts';
import { mortalJoin } from '../memory/support/mortal.ts';
import { mib } from './support/regions.ts';

afterEach(() => void vi.restoreAllMocks());

/** Right before the `nth` time that anybody takes the lock of segment `number` in this way, `drop` happens. */
function before(way: 'enter' | 'tryEnter', number: number, nth: number, drop: () => void): void {
  const take = SegmentRuns.prototype[way];
  let times = 0;
  vi.spyOn(SegmentRuns.prototype, way).mockImplementation(function (this: SegmentRuns): Entry {
    if (this.view.segment.number === number && ++times === nth) drop();
    return take.call(this);
  });
}

describe.each(subjects)('a segment of a $name region that another drops', ({ create }) => {
  /** Two owners, what a third who died has left, and segments of which only the first is in use. */
  function two(): { one: PoolAllocator; other: PoolAllocator; dead: number; kept: Ref } {
    const region = create();
    const one = createAllocator(region, { lockWaitMs: 0 });
    const other = openAllocator(mortalJoin(region).region, { lockWaitMs: 0 });
    const { region: lost, die } = mortalJoin(region);
    const third = openAllocator(lost, { lockWaitMs: 0 });
    third.allocate(1, 64);
    third.allocate(2, 40_000);
    die();
    const kept = other.allocate(1, mib);
    other.keep(kept);
    const large = [0, 1, 2].map(() => other.allocate(1, 2.5 * mib));
    for (const ref of large) other.free(ref, 1);
    expect([one.check(), region.segments.length]).toEqual([[], 3]);
    return { one, other, dead: lost.ownerSlot, kept };
  }

  function expectOneSegment(one: PoolAllocator, other: PoolAllocator, kept: Ref): void {
    for (const each of [one, other]) {
      expect(each.check()).toEqual([]);
      expect(each.region.segments.length).toBe(1);
    }
    other.free(kept, 1);
    other.flush();
    expect(one.usedBytes).toBe(0);
  }

  test.each([1, 2])('is none that the dead are recovered in, before it is locked: %i', (nth) => {
    const { one, other, dead, kept } = two();
    before('enter', 1, nth, () => expect(other.dropEmptySegments()).toBe(2));
    expect(one.recoverOwner(dead)).toBe(true);
    expectOneSegment(one, other, kept);
  });

  test('is none that is held', () => {
    const { one, other, dead, kept } = two();
    one.recoverOwner(dead);
    before('enter', 1, 1, () => expect(other.dropEmptySegments()).toBe(2));
    one.freeze()();
    expectOneSegment(one, other, kept);
  });

  test('is none that memory is looked for in', () => {
    const { one, other, dead, kept } = two();
    one.recoverOwner(dead);
    one.setLimitBytes(2 * mib);
    before('tryEnter', 0, 1, () => expect(other.dropEmptySegments()).toBe(2));
    expect(one.allocate(1, 2 * mib)).toBe(0);
    expectOneSegment(one, other, kept);
  });
});
