/**
 * Right before every memory access of every change of one owner, another owner makes a whole change:
 * nothing is owned twice, nothing is lost, and nobody's books are out of order.
 */

import { afterAll, describe, expect, test, vi } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import { seed } from '../support/seed.ts';
import { House, unlessBusy } from './support/house.ts';
import { houseShape, type Operation, operations } from './support/operations.ts';
import { Random } from './support/random.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const one = 0;
const other = 5;
const third = 7;

/** All points of short operations; of long ones so many at random, unless CI is set. */
const pointsMax = process.env['CI'] === undefined ? 20 : Infinity;

interface Scene {
  readonly house: House;
  readonly act: () => void;
  readonly meanwhile: () => void;
}

function stage(first: Operation, second: Operation): Scene {
  const house = new House(houseShape, [one, other, third]);
  const { act: meanwhile } = second.prepare(house, other, third);
  const { act } = first.prepare(house, one, third);
  return { house, act, meanwhile };
}

/** Accesses of `act`, undisturbed. */
function accessesOf(first: Operation, second: Operation): number {
  const { act } = stage(first, second);
  interrupt(Infinity, () => undefined);
  act();
  disarm();
  return accessCount();
}

function play({ house, act, meanwhile }: Scene, k: number): void {
  let isDone = false;
  interrupt(k, () => {
    isDone = unlessBusy(meanwhile);
  });
  const isActed = unlessBusy(act);
  disarm();
  if (!isDone) meanwhile(); // the lock was taken then, and is not now
  if (!isActed) act();
  house.verify();
  house.verifyNothingLost();
}

const points: string[] = [];

afterAll(() => {
  process.stdout.write(`interrupted at accesses of\n${points.join('\n')}\n`);
});

/** Both use the same dead or absent owners: one of them is enough. */
const twice = ['recover a dead owner', 'take over a slab of nobody', 'grow', 'drop a segment'];

/** Whether what the one is about does not fit beside what the other leaves. */
function isTooMuch(first: Operation, second: Operation): boolean {
  return second.leavesRoom === false && (first.needsRoom ?? first.leavesRoom === false);
}

describe.each(operations)('$name', (first) => {
  test('whatever another owner does meanwhile', () => {
    const random = new Random(seed());
    let count = 0;
    for (const second of operations) {
      if (first === second && twice.includes(first.name)) continue;
      if (isTooMuch(first, second) || isTooMuch(second, first)) continue;
      const accesses = accessesOf(first, second);
      const share = Math.min(1, pointsMax / accesses);
      for (let k = 1; k <= accesses; k++) {
        if (share < 1 && random.below(1_000) >= share * 1_000) continue;
        count++;
        try {
          play(stage(first, second), k);
        } catch (error) {
          throw new Error(`${second.name}, before access ${k}`, { cause: error });
        } finally {
          disarm();
        }
      }
    }
    points.push(`  ${first.name.padEnd(42)} ${count}`);
  });
});

/** Two owners free the same: one of them is told. (Not of a block of their own: what that would cost every free is not paid.) */
describe.each([
  [1, 64, [third]],
  [2, 3_000, [third]],
  [3, 2 * 4096, [one, other, third]],
  [3, 40 * 4096, [one, other, third]],
  [0, 3 * 4096, [one, other, third]],
])('of kind %i, %i bytes', (kind, sizeBytes, owners) => {
  test.each(owners)('of slot %i is freed by two at once, and once', (owner) => {
    for (let k = 1; ; k++) {
      const house = new House(houseShape, [one, other, third]);
      for (let i = 0; i < 3; i++) house.allocate(owner, kind, sizeBytes);
      const ref = house.allocate(owner, kind, sizeBytes);
      house.held.delete(ref);
      let freed = 0;
      const free = (slot: number): void => {
        try {
          house.of(slot).free(ref, kind);
          freed++;
        } catch (error) {
          if (!hasCode(error, 'double_free')) throw error;
        }
      };
      interrupt(k, () => free(other));
      free(one);
      const isOver = accessCount() < k;
      disarm();
      if (isOver) free(other);
      expect([k, freed]).toEqual([k, 1]);
      house.verify();
      house.verifyNothingLost();
      if (isOver) break;
    }
  });
});
