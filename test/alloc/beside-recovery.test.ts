/** What a dead owner had is freed by one of the living while another recovers the dead: it goes once, and is that one's until it has gone. */

import { describe, expect, test, vi } from 'vitest';
import { disarm, interruptApart, accessCount, sameUntil } from '../support/instrumented-words.ts';
import { hasCode } from '../../src/errors.ts';
import type { Ref } from '../../src/memory/region.ts';
import { House, unlessBusy } from './support/house.ts';
import { houseShape } from './support/operations.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const [heir, other, dead] = [0, 5, 9];
const pageBytes = 4096;

interface Scene {
  readonly house: House;
  readonly recover: () => void;
  readonly free: () => void;
}

function stage(kind: number, sizeBytes: number, isKept: boolean): Scene {
  const house = new House(houseShape, [heir, other, dead]);
  const refs = Array.from({ length: 4 }, () => house.allocate(dead, kind, sizeBytes));
  house.allocate(dead, kind, sizeBytes, false);
  const freed = [refs[1], refs[3]] as Ref[];
  if (!isKept) for (const ref of freed) house.of(dead).unkeep(ref);
  house.die(dead);
  return {
    house,
    recover: () => void house.of(heir).recoverOwner(dead),
    free() {
      for (const ref of freed) {
        house.held.delete(ref); // first: another may have it before we are told
        try {
          house.of(other).free(ref, kind);
        } catch (error) {
          if (isKept || !hasCode(error, 'double_free')) throw error;
        }
      }
    },
  };
}

/** Each of the two is interrupted by the other. */
function interleave(begin: () => Scene, turn: (scene: Scene) => (() => void)[]): void {
  for (let k = 1; ; k = Math.max(k, sameUntil()) + 1) {
    const scene = begin();
    const [act, meanwhile] = turn(scene) as [() => void, () => void];
    let isDone = false;
    interruptApart(k, () => (isDone = unlessBusy(meanwhile)));
    const isActed = unlessBusy(act);
    const isOver = accessCount() < k;
    disarm();
    if (!isDone) meanwhile();
    if (!isActed) act();
    try {
      scene.house.verify();
      // What it has freed, and holds back, is found when it dies.
      scene.house.die(other);
      expect(scene.house.of(heir).recoverOwner(other)).toBe(true);
      scene.house.verify();
      scene.house.verifyNothingLost();
    } catch (error) {
      throw new Error(`before access ${k}`, { cause: error });
    }
    if (isOver) return;
  }
}

describe.each([
  ['blocks', 1, 64],
  ['metadata', 0, 3 * pageBytes],
  ['short runs', 3, 2 * pageBytes],
  ['long runs', 3, 40 * pageBytes],
])('%s of a dead owner', (_, kind, sizeBytes) => {
  const kept = (): Scene => stage(kind, sizeBytes, true);
  const lost = (): Scene => stage(kind, sizeBytes, false);

  test('are freed while it is recovered', () => {
    interleave(kept, ({ recover, free }) => [recover, free]);
  });

  test('are freed, and it is recovered meanwhile', () => {
    interleave(kept, ({ recover, free }) => [free, recover]);
  });

  // In slabs it is not seen that a block is another by now.
  test.runIf(sizeBytes > pageBytes)('that go with it are freed by one of two', () => {
    interleave(lost, ({ recover, free }) => [recover, free]);
    interleave(lost, ({ recover, free }) => [free, recover]);
  });
});
