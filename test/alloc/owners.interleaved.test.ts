/**
 * Right before every memory access of every change of one owner, another owner makes a whole change:
 * nothing is owned twice, nothing is lost, and nobody's books are out of order.
 */

import { createHash } from 'node:crypto';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import {
  accessCount,
  accessesOf,
  disarm,
  interrupt,
  interruptApart,
  sameUntil,
} from '../support/instrumented-words.ts';
import { rounds, seed } from '../support/seed.ts';
import { House, unlessBusy } from './support/house.ts';
import { houseShape, type Operation, operations } from './support/operations.ts';
import { Random } from './support/random.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const one = 0;
const other = 5;
const third = 7;

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

function accessesBeside(first: Operation, second: Operation): number {
  return accessesOf(stage(first, second).act);
}

interface Interleaved {
  /** The last access before which the other would have come to the same. */
  readonly until: number;
  /** False when the other was sent away, and came again afterwards. */
  readonly isDone: boolean;
}

/** The one acts, and the other right before access `k` of that. */
function interleave({ act, meanwhile }: Scene, k: number): Interleaved {
  let isDone = false;
  interruptApart(k, () => {
    isDone = unlessBusy(meanwhile);
  });
  const isActed = unlessBusy(act);
  const until = sameUntil();
  disarm();
  if (!isDone) meanwhile(); // the lock was taken then, and is not now
  if (!isActed) act();
  return { until, isDone };
}

/** @returns the last access before which the other would have come to the same */
function play(scene: Scene, k: number): number {
  const { until } = interleave(scene, k);
  scene.house.verify();
  scene.house.verifyNothingLost();
  return until;
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
    let count = 0;
    let total = 0;
    for (const second of operations) {
      if (first === second && twice.includes(first.name)) continue;
      if (isTooMuch(first, second) || isTooMuch(second, first)) continue;
      const accesses = accessesBeside(first, second);
      total += accesses;
      for (let k = 1; k <= accesses;) {
        count++;
        try {
          k = 1 + play(stage(first, second), k);
        } catch (error) {
          throw new Error(`${second.name}, before access ${k}`, { cause: error });
        } finally {
          disarm();
        }
      }
    }
    points.push(`  ${first.name.padEnd(42)} ${count}, which stand for ${total}`);
  });
});

/** What is not tried because it comes to the same does: not a byte is another. */
test('an interruption that meets nothing is the same before any access', () => {
  const random = new Random(seed());
  const left = (first: Operation, second: Operation, k: number): [number, string] => {
    const scene = stage(first, second);
    const { until, isDone } = interleave(scene, k);
    const { held, regions } = scene.house;
    const account = [isDone, ...[...held].toSorted(([a], [b]) => a - b)];
    const hash = createHash('sha256').update(JSON.stringify(account));
    for (const buffer of regions.get(0)?.memory ?? []) hash.update(new Uint8Array(buffer));
    return [until, hash.digest('hex')];
  };
  let compared = 0;
  while (compared < rounds(30, 300)) {
    const [first, second] = [0, 0].map(() => operations[random.below(operations.length)]) as [
      Operation,
      Operation,
    ];
    if (first === second || isTooMuch(first, second) || isTooMuch(second, first)) continue;
    const accesses = accessesBeside(first, second);
    const k = 1 + random.below(accesses);
    const [until, state] = left(first, second, k);
    const last = Math.min(until, accesses);
    if (last <= k) continue;
    // Ends are where one too many would show.
    const later = random.below(2) === 0 ? last : k + 1 + random.below(last - k);
    const where = `${first.name}, ${second.name} before ${k} and ${later} of ${accesses}`;
    expect([where, left(first, second, later)[1]]).toEqual([where, state]);
    compared++;
  }
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
