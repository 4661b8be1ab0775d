/**
 * Between any two memory accesses of one owner another does something as a whole: each has what it was given, nothing is given twice, and
 * everything can be given back.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import { seed } from '../support/seed.ts';
import type { Held, Oracle } from './support/oracle.ts';
import { Random } from './support/random.ts';
import { deeds, replies, Scene } from './support/two-owners.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Interruptions per pair of deeds, and with CI=true. */
const pointsMax = process.env['CI'] === 'true' ? 300 : 8;

const covered = { points: 0, busy: 0 };

afterAll(() => {
  process.stdout.write(`${covered.points} interruptions; ${covered.busy} times busy\n`);
});

/** Some of the accesses 1…`accesses`, all when there are few. */
function* points(accesses: number): Generator<number> {
  const stride = Math.max(1, Math.ceil(accesses / pointsMax));
  for (let k = 1 + new Random(seed()).below(stride); k <= accesses; k += stride) yield k;
}

/** Runs `work`, unless an owner who is interrupted keeps a lock: then nothing has changed. */
function unlessBusy(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!hasCode(error, 'pool_busy')) throw error;
    covered.busy++;
  }
}

/** Both owners have what they think they have, and can free it, each what the other has. */
function verify({ survivor, victim }: Scene): void {
  for (const { allocator } of [survivor, victim]) allocator.flush();
  assert.deepEqual(survivor.allocator.check(), []);
  const left = new Map<number, string>();
  survivor.allocator.walk(({ ref, kind, kept }) => left.set(ref, `${kind} ${kept}`));
  const held = [...survivor.held, ...victim.held];
  assert.deepEqual(left, new Map(held.map(({ ref, kind, kept }) => [ref, `${kind} ${kept}`])));
  for (const each of held) survivor.verifyBytes(each);
  freeAll(survivor, victim.held);
  freeAll(victim, survivor.held);
  for (const { allocator } of [survivor, victim, survivor]) allocator.flush();
  assert.deepEqual(survivor.allocator.check(), []);
  const { usedBytes, liveBytes } = victim.allocator.stats();
  assert.deepEqual({ usedBytes, liveBytes }, { usedBytes: 0, liveBytes: 0 });
}

function freeAll({ allocator }: Oracle, held: readonly Held[]): void {
  for (const { ref, kind } of held) allocator.free(ref, kind);
}

describe.each(deeds)('while an owner $name', ({ act }) => {
  test.each(replies)('another %s', (_, reply) => {
    const whole = new Scene();
    interrupt(Infinity, () => undefined);
    act(whole);
    const accesses = accessCount();
    disarm();
    for (const k of points(accesses)) {
      const scene = new Scene();
      interrupt(k, () => unlessBusy(() => reply(scene.survivor)));
      unlessBusy(() => act(scene));
      disarm();
      try {
        verify(scene);
      } catch (error) {
        throw new Error(`interrupted at access ${k} of ${accesses}`, { cause: error });
      }
      covered.points++;
    }
  });
});

const shared: readonly [name: string, whose: 'victim' | 'survivor', index: number][] = [
  ['a block', 'victim', 1],
  ['a kept block', 'victim', 2],
  ['a run', 'victim', 3],
  ['a long run', 'victim', 5],
  ['a block of the other', 'survivor', 1],
  ['a run of the other', 'survivor', 3],
  ['a long run of the other', 'survivor', 5],
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

describe.each(shared)('two owners who free %s at once', (name, whose, index) => {
  test('leave it free, and are told of each other where that can be known', () => {
    let accesses = Infinity;
    for (let k = 1; k <= accesses; k++) {
      const scene = new Scene();
      const it = scene[whose].held[index] as Held;
      const freedBy = { survivor: false, victim: false };
      interrupt(k, () => (freedBy.survivor = isFreed(scene.survivor, it)));
      freedBy.victim = isFreed(scene.victim, it);
      const freed = Number(freedBy.survivor) + Number(freedBy.victim);
      accesses = accessCount();
      disarm();
      scene[whose].forget(index);
      // A block is freed by its owner with plain words, so that both may have freed it.
      expect([k, freed]).toBeOneOf(
        name.includes('block')
          ? [
              [k, 1],
              [k, 2],
            ]
          : [[k, 1]],
      );
      verify(scene);
    }
  });
});
