/**
 * An owner beside others dies at every memory access of every change; a survivor recovers it, and
 * dies at it; another recovers both. Nothing of the living is touched, nothing is lost.
 */

import { afterAll, describe, test, vi } from 'vitest';
import { accessCount } from '../support/instrumented-words.ts';
import { rounds, seed } from '../support/seed.ts';
import { diesAt } from './support/crashes.ts';
import { House } from './support/house.ts';
import { houseShape, type Operation, operations } from './support/operations.ts';
import { Random } from './support/random.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const victim = 5;
const survivor = 0;
const other = 7;

interface Scene {
  readonly house: House;
  readonly touches: ReadonlySet<number>;
}

/** What a victim leaves that dies at access k; undefined when the operation ends before. */
function wreck(operation: Operation, k: number, zeroKinds?: number): Scene | undefined {
  const house = new House(houseShape, [survivor, victim, other], zeroKinds);
  house.allocate(survivor, 1, 64, false);
  house.allocate(other, 2, 9_000, false);
  const { act, touches = [] } = operation.prepare(house, victim, other);
  if (!diesAt(k, act)) return undefined;
  house.die(victim);
  return { house, touches: new Set(touches) };
}

function recover(house: House, slot: number): void {
  const allocator = house.of(slot);
  for (const dead of [5, 0, 11, 9]) {
    if (!house.allocators.has(dead)) allocator.recoverOwner(dead);
  }
}

const points: string[] = [];

afterAll(() => {
  process.stdout.write(`owners died at accesses of\n${points.join('\n')}\n`);
});

describe.each(operations)('$name', (operation) => {
  // Blocks of kinds that are not zeroed are freed in quicker ways.
  test.each([
    ['dies at every access', undefined],
    ['dies at every access, and nothing is zeroed', 0],
  ] as const)('%s', (title, zeroKinds) => {
    let k = 1;
    for (; ; k++) {
      const scene = wreck(operation, k, zeroKinds);
      if (scene === undefined) break;
      try {
        recover(scene.house, survivor);
        scene.house.verify(scene.touches);
        scene.house.verifyNothingLost();
      } catch (error) {
        throw new Error(`died at access ${k}`, { cause: error });
      }
    }
    points.push(`  ${operation.name.padEnd(42)} ${k - 1}, ${title}`);
  });

  test('dies, and the survivor in recovery, and another recovers both', () => {
    const random = new Random(seed());
    let accesses = 0;
    while (wreck(operation, accesses + 1) !== undefined) accesses++;
    for (let round = 0; round < rounds(25, 300); round++) {
      const k = 1 + random.below(accesses);
      const { house, touches } = wreck(operation, k) as Scene;
      diesAt(1 + random.below(1_500), () => recover(house, survivor));
      const j = accessCount();
      house.die(survivor);
      try {
        recover(house, other);
        house.verify(touches);
        house.verifyNothingLost();
      } catch (error) {
        throw new Error(`died at access ${k}, recovery at ${j}`, { cause: error });
      }
    }
  });
});
