/**
 * An owner dies at any of its memory accesses, and another goes on working before it recovers the dead: what the dead one had kept is there, what it
 * had not is free, nothing is counted twice, and what the survivor has is untouched.
 */

import assert from 'node:assert/strict';
import { describe, expect, test, vi } from 'vitest';
import type { Ref } from '../../src/memory/region.ts';
import { accessCount, armCrash, disarm } from '../support/instrumented-words.ts';
import { pointsOf } from '../support/points.ts';
import { diesAt } from './support/crashes.ts';
import type { Held } from './support/oracle.ts';
import { deeds, replies, Scene, victimSlot } from './support/two-owners.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Deaths per pair of deeds, and with CI=true. */
const pointsMax = process.env['CI'] === 'true' ? 150 : 8;

/** What must be there, and what may. */
function verify(scene: Scene, touched: readonly Held[]): void {
  const { survivor, victim } = scene;
  const { allocator } = survivor;
  assert.deepEqual(allocator.check(), []);
  const touches = new Set<Ref>(touched.map(({ ref }) => ref));
  const left = new Set<Ref>();
  allocator.walk(({ ref }) => left.add(ref));
  const must = [...survivor.held, ...victim.held.filter(({ kept }) => kept)];
  for (const held of must) {
    if (touches.has(held.ref)) continue;
    assert(left.delete(held.ref), `reference ${held.ref} is gone`);
    survivor.verifyBytes(held);
  }
  for (const ref of left) assert(touches.has(ref), `reference ${ref} is nobody's`);
  // All of it can be given back.
  const all: Held[] = [];
  allocator.walk(({ ref, kind }) => all.push({ ref, kind } as Held));
  for (const { ref, kind } of all) allocator.free(ref, kind);
  allocator.flush();
  assert.deepEqual(allocator.check(), []);
  const { usedBytes, liveBytes } = allocator.stats();
  assert.deepEqual({ usedBytes, liveBytes }, { usedBytes: 0, liveBytes: 0 });
}

describe.each(deeds)('an owner who dies as it $name', ({ prepare, act, touches }) => {
  test.each(replies)('and another who %s before it recovers it', (_, reply) => {
    const whole = new Scene();
    prepare?.(whole);
    armCrash(Infinity);
    act(whole);
    const accesses = accessCount();
    disarm();
    for (const k of pointsOf(accesses, pointsMax)) {
      const scene = new Scene();
      prepare?.(scene);
      const touched = touches?.(scene) ?? [];
      expect(diesAt(k, () => void act(scene))).toBe(true);
      scene.die();
      try {
        reply(scene.survivor, scene);
        expect(scene.survivor.allocator.recoverOwner(victimSlot)).toBe(true);
        verify(scene, touched);
      } catch (error) {
        throw new Error(`died at access ${k} of ${accesses}`, { cause: error });
      }
    }
    expect(accesses).toBeGreaterThan(0);
  });
});
