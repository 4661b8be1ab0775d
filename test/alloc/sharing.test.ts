/** Slabs that the living leave to nobody: never with blocks that were not published, which are their owner's to lose. */

import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { granuleShift, type Ref } from '../../src/memory/region.ts';
import { House } from './support/house.ts';
import { houseShape } from './support/operations.ts';
import { kib } from './support/regions.ts';

const [one, other] = [0, 5];
/** Four to a slab. */
const sizeBytes = 4096;
const kind = 4;

const slabOf = (ref: Ref): number => ref >> (14 - granuleShift);

/** Blocks that fill slabs, every fourth of them not published. */
function fill(house: House, slot: number, count: number): { kept: Ref[]; drafts: Ref[] } {
  const kept: Ref[] = [];
  const drafts: Ref[] = [];
  for (let i = 0; i < count; i++) {
    const isDraft = i % 4 === 3;
    (isDraft ? drafts : kept).push(house.allocate(slot, kind, sizeBytes, !isDraft));
  }
  return { kept, drafts };
}

describe.each(['a new slab', 'memory that has run out', 'being asked'])(
  'a slab left for %s',
  (why) => {
    function leave(house: House, slot: number): void {
      if (why === 'being asked') {
        house.of(other).askToShare();
        house.of(slot).notice();
      } else if (why === 'memory that has run out') {
        while (house.allocate(slot, 3, 64 * sizeBytes) !== 0);
        while (house.allocate(slot, 3, sizeBytes) !== 0);
        house.allocate(slot, kind, sizeBytes);
      } else fill(house, slot, 12);
    }

    test('keeps what was not published when who took it in dies', () => {
      const house = new House(houseShape, [one, other]);
      const { kept } = fill(house, one, 24);
      leave(house, one);
      for (const ref of kept) house.free(other, ref);
      house.die(other);
      house.of(one).recoverOwner(other);
      house.verify();
      house.verifyNothingLost();
    });

    test('is not lost with what its owner had not published when it dies', () => {
      const house = new House(houseShape, [one, other, 9]);
      fill(house, 9, 24);
      leave(house, 9);
      house.die(9);
      assert(house.of(one).recoverOwner(9));
      house.verify();
      house.verifyNothingLost();
    });
  },
);

describe('a slab of nobody in a segment that came since', () => {
  test.each([
    ['that needs a block', () => undefined],
    ['that takes in all that nobody has', (house: House) => house.of(other).flush()],
  ])('is found by an owner %s', (_, look) => {
    const house = new House(houseShape, [one, other]);
    const all = house.allocate(one, 3, 1_900 * kib);
    let last = 0;
    while (last >> (22 - granuleShift) === 0) last = house.allocate(one, kind, sizeBytes);
    house.free(one, all);
    house.of(other).notice(); // that memory had run out, before there is anything to take in
    house.leave(one);
    look(house);
    const ref = house.allocate(other, kind, sizeBytes);
    assert.equal(slabOf(ref), slabOf(last));
    house.verify();
    house.verifyNothingLost();
  });
});
