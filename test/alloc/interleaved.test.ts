/**
 * Between any two memory accesses of one owner another does something as a whole: each has what it was given, nothing is given twice, and
 * everything can be given back.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import {
  accessesOf,
  disarm,
  interrupt,
  interruptApart,
  meetOutside,
  sameUntil,
} from '../support/instrumented-words.ts';
import type { Held, Oracle } from './support/oracle.ts';
import { deeds, replies, Scene } from './support/two-owners.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const covered = { points: 0, accesses: 0, busy: 0 };

afterAll(() => {
  process.stdout.write(
    `${covered.points} interruptions, which stand for ${covered.accesses}; ${covered.busy} times busy\n`,
  );
});

/** Runs `work`, unless an owner who is interrupted keeps a lock: then nothing has changed. */
function unlessBusy(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!hasCode(error, 'pool_busy')) throw error;
    covered.busy++;
  }
}

type Owners = Pick<Scene, 'survivor' | 'victim'>;

const freshSizes = [64, 700, 1500, 3 * 4096];

/** What is allocated next is new: nobody has it, and nothing of what was there before is left on it. */
function expectFresh({ survivor, victim }: Owners): void {
  const fresh = new Map<number, number>();
  let given = 0;
  for (const { allocator } of [survivor, victim, survivor, victim]) {
    for (const [i, sizeBytes] of [...freshSizes, ...freshSizes, ...freshSizes].entries()) {
      const kind = 1 + Math.floor(i / freshSizes.length);
      const ref = allocator.allocate(kind, sizeBytes);
      if (ref === 0) continue;
      fresh.set(ref, kind);
      given++;
    }
  }
  assert.equal(fresh.size, given, 'something was given twice');
  for (const { ref } of [...survivor.held, ...victim.held]) assert(!fresh.has(ref));
  victim.allocator.walk(({ ref, kept }) => assert(!kept || !fresh.has(ref), `${ref} is kept`));
  for (const [ref, kind] of fresh) victim.allocator.free(ref, kind);
}

/** Everybody has taken in what others have freed. */
function flushAll({ survivor, victim }: Owners): void {
  for (const { allocator } of [survivor, victim, survivor]) allocator.flush();
  assert.deepEqual(survivor.allocator.check(), []);
  const { allocations, frees } = victim.allocator.stats();
  assert.equal(allocations - frees, survivor.held.length + victim.held.length);
}

/** Both owners have what they think they have, and can free it, each what the other has. */
function verify(owners: Owners): void {
  const { survivor, victim } = owners;
  flushAll(owners);
  expectFresh(owners);
  flushAll(owners);
  const left = new Map<number, string>();
  survivor.allocator.walk(({ ref, kind, kept }) => left.set(ref, `${kind} ${kept}`));
  const held = [...survivor.held, ...victim.held];
  assert.deepEqual(left, new Map(held.map(({ ref, kind, kept }) => [ref, `${kind} ${kept}`])));
  for (const each of held) survivor.verifyBytes(each);
  freeAll(survivor, victim.held.splice(0));
  freeAll(victim, survivor.held.splice(0));
  flushAll(owners);
  expectFresh(owners);
  flushAll(owners);
  const { usedBytes, liveBytes } = victim.allocator.stats();
  assert.deepEqual({ usedBytes, liveBytes }, { usedBytes: 0, liveBytes: 0 });
}

function freeAll({ allocator }: Oracle, held: readonly Held[]): void {
  for (const { ref, kind } of held) allocator.free(ref, kind);
}

describe.each(deeds)('while an owner $name', ({ prepare, act }) => {
  test.each(replies)('another %s', (_, reply) => {
    const whole = new Scene();
    prepare?.(whole);
    const accesses = accessesOf(() => act(whole));
    covered.accesses += accesses;
    for (let k = 1; k <= accesses; k = sameUntil() + 1) {
      const scene = new Scene();
      prepare?.(scene);
      interruptApart(k, () => {
        meetOutside(); // it may look at what the one holds
        unlessBusy(() => reply(scene.survivor, scene));
      });
      unlessBusy(() => act(scene));
      disarm();
      try {
        expectFresh(scene); // of what waits in private, before it is given back
        verify(scene);
      } catch (error) {
        throw new Error(`interrupted at access ${k} of ${accesses}`, { cause: error });
      }
      covered.points++;
    }
  });
});

type Whose = 'victim' | 'survivor';
/** `index` -1: what a third has left. `isExact`: one of the two is always told. */
const shared: readonly [name: string, whose: Whose, index: number, isExact: boolean][] = [
  // A block is freed by its owner with plain words, so that both may have freed it; one in a slab of nobody by who takes the slab in.
  ['a block', 'victim', 1, false],
  ['a kept block', 'victim', 2, false],
  ['a run', 'victim', 3, true],
  ['a long run', 'victim', 5, true],
  ['a block of the other', 'survivor', 1, false],
  ['a run of the other', 'survivor', 3, true],
  ['a long run of the other', 'survivor', 5, true],
  ['a block of nobody', 'survivor', -1, false],
];

/** @returns whether it was freed; otherwise it was free already */
function isFreed(by: Oracle, { ref, kind }: Held): boolean {
  try {
    by.allocator.free(ref, kind);
    return true;
  } catch (error) {
    if (hasCode(error, 'double_free') || hasCode(error, 'foreign_reference')) return false;
    throw error;
  }
}

describe.each(shared)('two owners who free %s at once', (_, whose, index, isExact) => {
  test('leave it free, and are told of each other where that can be known', () => {
    const whole = new Scene();
    const one = index < 0 ? whole.third() : (whole[whose].held[index] as Held);
    const accesses = accessesOf(() => isFreed(whole.victim, one));
    for (let k = 1; k <= accesses; k++) {
      const scene = new Scene();
      const it = index < 0 ? scene.third() : (scene[whose].held[index] as Held);
      const freedBy = { survivor: false, victim: false };
      interrupt(k, () => (freedBy.survivor = isFreed(scene.survivor, it)));
      freedBy.victim = isFreed(scene.victim, it);
      const freed = Number(freedBy.survivor) + Number(freedBy.victim);
      disarm();
      scene[whose].forget(scene[whose].held.indexOf(it));
      // Where both have freed it, the next who gets it may lose it until its owner has noticed.
      expect([k, freed]).toBeOneOf(
        isExact
          ? [[k, 1]]
          : [
              [k, 1],
              [k, 2],
            ],
      );
      verify(scene);
    }
  });
});
